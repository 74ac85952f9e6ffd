"""A backend whose jobs do what a JSON file says that is given as the video, instead of looking at a video.

    {"do": "wobble" | "fail" | "wait" | "die", "frames": 8, "fps": 24, "pause": 0, "warning": "...", "pose": "drawn"}

"wobble": frame 0 is the mesh, frame t is `wobble.wobbled(mesh, t)`; with a "pose" frame t is `wobbled(mesh, t + 1)`, as
where the video begins with another pose than the mesh's; the pause before each is read anew. "wait" waits,
half done, until the file says something else. Started by the real client in place of `python -m motion324 serve
...`: tests write a launcher that runs this file (conftest.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from wobble import wobbled

from motion324.core.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.core.motion.doubt import DOUBTED_ERROR, doubt_of
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.result import AnimationResult, Examination, MadeMesh
from motion324.core.rigs.rig import RiggedMotion
from motion324.core.view import look_at_origin
from motion324.reconstructors.interface import FrameBatch
from motion324.rigging.rig import rig_trajectory
from motion324.server.server import serve
from motion324.wire.handshake import take_token_from_environment


def wish_of(request) -> dict:
    """What the file says now; of a real video the one beside it, which is called as the video with .json."""
    beside = Path(f"{request.video}.json")
    return json.loads((beside if beside.exists() else Path(request.video)).read_text())


def looked_up(request, progress, stage: str) -> dict:
    """The same for a quick look, once it says something else than "wait"."""
    while (wish := wish_of(request))["do"] == "wait":
        progress(stage, 1, 2)
        time.sleep(0.02)
    if wish["do"] == "fail":
        sentence = f"The video '{request.video}' shows nothing."
        raise Motion324Error("no-foreground", sentence, "Choose another video.", EXIT_BAD_VIDEO)
    progress(stage, 1, 1)
    return wish


def run_job(request, progress, on_frames, on_plan, on_match) -> AnimationResult:
    wish = wish_of(request)
    if wish["do"] == "fail":
        sentence = f"The video '{request.video}' shows nothing that moves."
        raise Motion324Error("no-foreground", sentence, "Choose another video.", EXIT_BAD_VIDEO)
    if wish["do"] == "die":
        print("last words of the backend", file=sys.stderr, flush=True)
        os._exit(3)
    if request.last is not None:
        return corrected(request, on_frames)
    if "trajectory" in wish:  # a file with where the vertices are, in the request's own space
        positions = np.load(wish["trajectory"])
        frames = len(positions)
    else:
        frames = int(wish.get("frames", 8))
        positions = np.stack([wobbled(request.mesh.positions, index + ("pose" in wish)) for index in range(frames)])
    growing = np.linspace(1 / frames, 1, frames)[:, None] * np.linspace(0, 1, positions.shape[1])
    expected = (DOUBTED_ERROR * growing).astype(np.float32)  # with the vertex's number, and from frame to frame
    on_match(float(wish.get("overlap", 0.93)))
    for index in range(frames):
        progress("reconstruct", index, frames)
        began = time.monotonic()
        while (now := wish_of(request))["do"] == "wait" or time.monotonic() < began + float(now.get("pause", 0)):
            progress("reconstruct", index, frames)
            time.sleep(0.02)
        on_frames(FrameBatch(np.array([index]), positions[index : index + 1], True, expected[index : index + 1]))
    return AnimationResult(
        positions=positions,
        frame_numbers=np.arange(frames),
        fps=float(wish.get("fps", 24)),
        view=look_at_origin(0, 0, 3, 1.5),
        report={
            "warnings": [{"code": "test", "sentence": wish["warning"]}] if "warning" in wish else [],
            "seconds": {"reconstruct": 0.1},
            "up": request.mesh.up,
            "options": request.options.to_dict(),
            "pose": {"asked": request.options.pose, "taken": wish.get("pose", "first-frame")},
            "fit": {"overlap": [1 - 0.02 * (index % 7) for index in range(frames)]},
            "silhouette_overlap": float(wish.get("overlap", 0.93)),
            "video": {"size": [128, 72], "frames": frames},
        },
        doubt=doubt_of(expected),
    )


def corrected(request, on_frames) -> AnimationResult:
    """The earlier result with what poses and groups ask for, and all pins in its report."""
    last, pins = request.last, request.pins
    positions = last.positions.copy()
    for still in pins.stills:
        within = (last.frame_numbers >= still.first) & (last.frame_numbers <= still.last)
        positions[np.ix_(within, still.vertices)] = last.positions[np.ix_(within, still.vertices)].mean(axis=0)
    for pose in pins.poses:
        positions[last.frame_numbers == pose.frame, pose.vertices] = pose.positions
    on_frames(FrameBatch(np.arange(len(positions)), positions, True))
    report = {**last.report, "asked": pins.to_dict(), "view": np.asarray(last.view.rotation).tolist()}
    return dataclasses.replace(last, positions=positions, report=report)


def examine(request, progress) -> Examination:
    """A grey frame whose left half is the object, seen from 30 degrees to the right where a mesh is given."""
    wish = looked_up(request, progress, "foreground")
    mask = np.zeros((36, 64), np.float32)
    mask[:, :32] = 1
    return Examination(
        frame=np.full((36, 64, 3), 128, np.uint8),
        mask=mask,
        mask_method="plain",
        frame_number=request.options.frames[0] or 0,
        frame_count=int(wish.get("frames", 8)),
        used_count=int(wish.get("frames", 8)),
        fps=float(wish.get("fps", 24)),
        size=(128, 72),
        view=look_at_origin(30, 0, 3, 1.5) if request.mesh else None,
        silhouette_overlap=float(wish.get("overlap", 0.9)) if request.mesh else None,
    )


def make_mesh(request, progress) -> MadeMesh:
    """A tall four-sided body, Y up, whose front (+Z) is red; painted where the settings say so, else coloured."""
    looked_up(request, progress, "mesh")
    return _made_body(request)


def rig(request, progress) -> RiggedMotion:
    """Really keys the bones: that needs numpy only."""
    return rig_trajectory(
        request.positions, request.faces, request.settings, request.armature, request.skin, progress=progress
    )


def _made_body(request) -> MadeMesh:
    corners = np.float32([[-0.2, 0, 0.2], [0.2, 0, 0.2], [0.2, 0, -0.2], [-0.2, 0, -0.2]])
    positions = np.concatenate([corners - np.float32([0, 0.5, 0]), corners + np.float32([0, 0.5, 0])])
    quads = [(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7), (3, 2, 1, 0)]
    faces = np.int32([triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))])
    red = np.float32([[1, 0, 0] if z > 0 else [0, 0, 1] for _, _, z in positions])
    texture = np.zeros((4, 8, 4), np.uint8)
    texture[:2, :, 0] = texture[2:, :, 2] = texture[..., 3] = 255  # red above, blue below
    painted = request.settings.texture
    mesh = ReferenceMesh(
        positions=positions,
        faces=faces,
        face_material=np.zeros(len(faces), np.int32),
        materials=(Material("picture", (1.0, 1.0, 1.0, 1.0), texture if painted else None),),
        corner_uv=(positions[:, :2] + np.float32([0.5, 0.5]))[faces] if painted else None,
        vertex_colour=None if painted else red,
        name=Path(request.video).stem,
    )
    wish = wish_of(request)
    warnings = ({"code": "test", "sentence": wish["warning"]},) if "warning" in wish else ()
    licence = "" if request.settings.provider == "inflate" else "Its licence restricts this."
    return MadeMesh(
        mesh, "front", request.options.frames[0] or 0, "plain", request.settings.provider, licence, warnings
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--parent", type=int)
    arguments = parser.parse_args(sys.argv[sys.argv.index("serve") + 1 :])
    return serve(
        run_job,
        examine=examine,
        make_mesh=make_mesh,
        rig=rig,
        describe=lambda: {"device": "fake", "memory": {}, "reconstructors": []},
        unload=lambda keep_on_cpu: None,
        token=take_token_from_environment(),
        host=arguments.host,
        port=arguments.port,
        log_path=arguments.log,
        parent_pid=arguments.parent,
    )


if __name__ == "__main__":
    sys.exit(main())
