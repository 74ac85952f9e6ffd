"""A backend whose jobs do what a test asks of them, instead of looking at a video.

    python fake_backend.py [OPTIONS] serve --host H --port P --log L --parent PID

What a job does is told by the mesh's metadata; see `run_job`.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_BAD_VIDEO, Cancelled, Motion324Error
from motion324.core.jobs.job_plan import OnPlan
from motion324.core.progress import OnMatch, Progress
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.result import AnimationResult, Examination, MadeMesh
from motion324.core.rigs.rig import RiggedMotion
from motion324.core.view import look_at_origin
from motion324.reconstructors.interface import FrameBatch
from motion324.rigging.rig import rig_trajectory
from motion324.server.server import serve
from motion324.wire.handshake import take_token_from_environment
from motion324.wire.protocol import AnimateRequest, ExamineRequest, MeshRequest, RigRequest

seen: dict[str, object] = {"cancelled": [], "finished": [], "unloaded": 0, "batches": 0, "rested": 0}


def run_job(
    request: AnimateRequest,
    progress: Progress,
    on_frames: Callable[[FrameBatch], None],
    on_plan: OnPlan,
    on_match: OnMatch,
) -> AnimationResult:
    wish = request.mesh.metadata
    try:
        result = _JOBS[wish.get("do", "animate")](request, progress, on_frames)
    except Cancelled:
        seen["cancelled"].append(request.job_id)
        raise
    seen["finished"].append(request.job_id)
    return result


def _animate(request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]) -> AnimationResult:
    """`frames` frames in batches of `batch`, each first as a preview; frame t is the mesh, moved by t along x.

    One array is reused for all batches, as a solver would that refines in place.
    """
    wish = request.mesh.metadata
    frames, batch, pause = int(wish.get("frames", 4)), int(wish.get("batch", 2)), float(wish.get("pause", 0))
    work = np.empty((batch, *request.mesh.positions.shape), np.float32)
    for first in range(0, frames, batch):
        progress("reconstruct", first, frames)
        indices = np.arange(first, min(first + batch, frames))
        work[: len(indices)] = trajectory(request.mesh.positions, indices)
        for final in (False, True):
            on_frames(FrameBatch(indices, work[: len(indices)], final))
            seen["batches"] += 1
        work[:] = np.nan
        time.sleep(pause)
    progress("reconstruct", frames, frames)
    return _result(request, frames)


def _wait(request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]) -> AnimationResult:
    """Reports every 50 ms for `seconds`."""
    total = int(float(request.mesh.metadata.get("seconds", 60)) / 0.05)
    for done in range(total):
        progress("reconstruct", done, total)
        time.sleep(0.05)
    return _result(request, 1)


def _hold_the_interpreter(
    request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]
) -> AnimationResult:
    """Native code that keeps all other Python threads from running, for 0.2 s at a time; then a busy loop."""
    library = ctypes.PyDLL(None)
    while True:
        library.usleep(200_000)
        progress("reconstruct", 0, 1)
        sum(range(100_000))


def _stand_still(
    request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]
) -> AnimationResult:
    while True:
        time.sleep(1)


def _fail(request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]) -> AnimationResult:
    raise ValueError("a defect with a value of 42")


def _lack_memory(
    request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]
) -> AnimationResult:
    np.empty(1 << 60, np.uint8)
    raise AssertionError


def _advise(request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]) -> AnimationResult:
    raise Motion324Error("video-unreadable", f"The video {request.video} is broken.", "Convert it.", EXIT_BAD_VIDEO)


def _crash(request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]) -> AnimationResult:
    ctypes.string_at(0)
    raise AssertionError


def _echo(request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]) -> AnimationResult:
    """Tells in the report what arrived, so that a test can compare it with what was sent."""
    mesh, video = request.mesh, request.video
    report = {
        "faces": mesh.faces,
        "face_material": mesh.face_material,
        "corner_uv": mesh.corner_uv,
        "vertex_colour": mesh.vertex_colour,
        "materials": [[m.name, list(m.base_colour), m.texture] for m in mesh.materials],
        "up": mesh.up,
        "name": mesh.name,
        "metadata": mesh.metadata,
        "options": request.options.to_dict(),
        "video": video if isinstance(video, Path) else [video.name, video.fps, video.frames, video.alpha],
    }
    return AnimationResult(mesh.positions[None], np.array([7]), 24.0, look_at_origin(10, 20, 3, 1.5), report)


def examine(request: ExamineRequest, progress: Progress) -> Examination:
    """Waits for as many seconds as the mesh's metadata say, if there is one; the mask is the frame's left half."""
    wish = request.mesh.metadata if request.mesh else {}
    until = time.monotonic() + float(wish.get("seconds", 0))
    try:
        progress("read", 0, 1)
        while time.monotonic() < until:
            progress("view", 0, 1)
            time.sleep(0.02)
    except Cancelled:
        seen["cancelled"].append(request.job_id)
        raise
    mask = np.zeros((4, 6), np.float32)
    mask[:, :3] = 1
    seen["examined"] = str(request.video) if isinstance(request.video, Path) else request.video.name
    return Examination(
        frame=np.full((4, 6, 3), 7, np.uint8),
        mask=mask,
        mask_method="plain",
        frame_number=2,
        frame_count=40,
        used_count=20,
        fps=25.0,
        size=(12, 8),
        warnings=({"code": "test", "sentence": "A warning."},),
        view=look_at_origin(30, 10, 3, 1.2) if request.mesh else None,
        silhouette_overlap=0.75 if request.mesh else None,
    )


def make_mesh(request: MeshRequest, progress: Progress) -> MadeMesh:
    """A triangle, after as many seconds as the settings have as their time limit."""
    until = time.monotonic() + request.settings.time_limit
    try:
        while time.monotonic() < until:
            progress("mesh", 0, 1)
            time.sleep(0.02)
    except Cancelled:
        seen["cancelled"].append(request.job_id)
        raise
    seen["made"] = [str(request.video), request.settings.to_dict(), request.options.video_fps]
    triangle = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    mesh = ReferenceMesh(triangle, np.int32([[0, 1, 2]]), np.int32([0]), vertex_colour=triangle, name="triangle")
    warnings = ({"code": "test", "sentence": "A warning."},)
    return MadeMesh(mesh, "front", 3, "plain", "inflate", "A licence.", warnings, {"overlap": 0.5})


def rig(request: RigRequest, progress: Progress) -> RiggedMotion:
    """Really keys the bones: it takes no time with the tests' few vertices."""
    return rig_trajectory(
        request.positions, request.faces, request.settings, request.armature, request.skin, progress=progress
    )


def _read_files(
    request: AnimateRequest, progress: Progress, on_frames: Callable[[FrameBatch], None]
) -> AnimationResult:
    """Tells in the report where video and mask lie, and what is in them; then waits for `seconds`."""
    report = {}
    for name, path in (("video", Path(request.video)), ("mask", Path(request.options.mask))):
        files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
        report[name] = {"path": str(path), "files": {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}}
    until = time.monotonic() + float(request.mesh.metadata.get("seconds", 0))
    while time.monotonic() < until:
        progress("reconstruct", 0, 1)
        time.sleep(0.02)
    return AnimationResult(request.mesh.positions[None], np.array([0]), 24.0, look_at_origin(0, 0, 3, 1.5), report)


_JOBS = {
    "read files": _read_files,
    "animate": _animate,
    "wait": _wait,
    "hold the interpreter": _hold_the_interpreter,
    "stand still": _stand_still,
    "fail": _fail,
    "lack memory": _lack_memory,
    "advise": _advise,
    "crash": _crash,
    "echo": _echo,
}


def trajectory(positions: np.ndarray, indices: np.ndarray) -> np.ndarray:
    moved = np.repeat(positions[None], len(indices), axis=0)
    moved[..., 0] += indices[:, None]
    return moved


def _result(request: AnimateRequest, frames: int) -> AnimationResult:
    return AnimationResult(
        positions=trajectory(request.mesh.positions, np.arange(frames)),
        frame_numbers=np.arange(frames) + 100,
        fps=25.0,
        view=look_at_origin(30, 10, 3, 1.2),
        report={"reconstructor": "fake", "overlap": np.float32(0.5)},
    )


def describe() -> dict[str, object]:
    rss = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {"device": "fake", "memory": {"process": rss}, "reconstructors": ["fake"], **seen}


def unload(keep_on_cpu: bool) -> None:
    seen["unloaded"] += 1
    seen["kept_on_cpu"] = keep_on_cpu


def rest() -> None:
    seen["rested"] += 1


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--heartbeat-timeout", type=float, default=120.0)
    parser.add_argument("--stall-limit", type=float, default=900.0)
    parser.add_argument("--rest-after", type=float, default=120.0)
    parser.add_argument("--log-bytes", type=int, default=1 << 20)
    parser.add_argument("--force-host")
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--parent", type=int)
    arguments = parser.parse_args()
    print("something that a library prints before the backend is ready")
    return serve(
        run_job,
        examine=examine,
        make_mesh=make_mesh,
        rig=rig,
        describe=describe,
        unload=unload,
        rest=rest,
        token=take_token_from_environment(),
        host=arguments.force_host or arguments.host,
        port=arguments.port,
        log_path=arguments.log,
        parent_pid=arguments.parent,
        heartbeat_timeout=arguments.heartbeat_timeout,
        stall_limit=arguments.stall_limit,
        rest_after=arguments.rest_after,
        log_bytes=arguments.log_bytes,
    )


if __name__ == "__main__":
    sys.exit(main())
