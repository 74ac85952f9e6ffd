"""Moves meshes as a JSON file says that is given as the video, in place of the pipeline, for tests of batches.

    {"frames": 4, "step": 0.5, "seconds": 0, "do": "move" | "fail" | "die" | "die once" | "stand still"}

Frame t is a triangle moved by t * step along x. "die" ends the process by signal 9 after `seconds`; "die once" leaves a
file beside the video, and lives where that is there. "stand still" looks for no cancellation.
"""

from __future__ import annotations

import json
import os
import signal
import time

import numpy as np

from motion324.core.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.result import AnimationResult
from motion324.core.view import look_at_origin

TRIANGLE = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])


def stand_in(item, keep, progress):
    """An Animator of motion324.batches.plain_item."""
    video = item.path(item.video)
    wish = {"frames": 4, "step": 0.5, "seconds": 0.0, "do": "move", **json.loads(video.read_text())}
    until = time.monotonic() + wish["seconds"]
    progress("reconstruct", 0, wish["frames"])
    while time.monotonic() < until:
        if wish["do"] != "stand still":
            progress("reconstruct", wish["frames"] // 2, wish["frames"])
        time.sleep(0.01)
    if wish["do"] == "fail":
        raise Motion324Error("no-foreground", f"The video '{video}' shows nothing.", "Choose another.", EXIT_BAD_VIDEO)
    mark = video.with_suffix(".died")
    if wish["do"] == "die" or (wish["do"] == "die once" and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    positions = np.repeat(TRIANGLE[None], wish["frames"], axis=0)
    positions[..., 0] += wish["step"] * np.arange(wish["frames"], dtype=np.float32)[:, None]
    mesh = ReferenceMesh(TRIANGLE, np.int32([[0, 1, 2]]), np.zeros(1, np.int32))
    report = {"reconstructor": "stand-in", "warnings": [], "smooth": item.options.smooth}
    return mesh, AnimationResult(positions, np.arange(wish["frames"]), 24.0, look_at_origin(0, 0, 3, 1.5), report)


def write_items(folder, wishes, outputs=("npz",)):
    """Meshes, videos and the lines of a job file for them; item k moves by `step` k + 1 where it is not told."""
    (folder / "mesh.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    lines = []
    for number, wish in enumerate(wishes):
        (folder / f"{number}.json").write_text(json.dumps({"step": number + 1.0, **wish}))
        files = {name: f"out/{number}.{name}" for name in outputs}
        lines.append({"mesh": "mesh.obj", "video": f"{number}.json", "outputs": files})
    (folder / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


def check_right(folder, numbers):
    """Whether these items' trajectories are there, and are their own."""
    for number in numbers:
        with np.load(folder / "out" / f"{number}.npz") as arrays:
            step = arrays["positions"][1, 0, 0] - arrays["positions"][0, 0, 0]
        assert step == number + 1.0, number
