"""Has the backend draw the video beside a result: as `motion324 overlay` does, which needs no graphics driver."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_BACKEND, EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.reference_mesh_file import save_reference_mesh
from motion324.core.files.trajectory_file import save_trajectory
from motion324.core.processes.interruption import look
from motion324.core.result import AnimationResult

from ..job.backend import Local
from ..scene.playing.animation import Animation
from ..scene.reading.mesh_reading import read_reference
from ..settings import preferences

POLL = 0.1  # seconds
SAID = 4096  # letters of its last words


def write_overlay_video(path: Path, obj: bpy.types.Object, animation: Animation, video: Path) -> None:
    """obj: as the job saw it, before its result is kept. animation: without a pose of its own before.

    Raises Motion324Error("overlay-remote" or "overlay-failed"), Cancelled.
    """
    where = preferences.connection()
    if not isinstance(where, Local):
        sentence = "The output 'overlay' needs a backend on this machine."
        raise Motion324Error("overlay-remote", sentence, "Leave it out, or install a backend here.", EXIT_BACKEND)
    reading = read_reference(obj)
    with tempfile.TemporaryDirectory(prefix="motion324-overlay-") as folder:
        mesh, trajectory = Path(folder) / "mesh.npz", Path(folder) / "trajectory.npz"
        save_reference_mesh(mesh, reading.mesh)
        result = AnimationResult(
            reading.orientation.to_world(animation.positions),
            animation.frame_numbers,
            animation.fps,
            animation.view,
            animation.report,
            animation.camera_to_first,
        )
        save_trajectory(trajectory, result, reading.mesh.faces)
        command = [str(where.python), "-m", "motion324", "overlay", str(mesh), str(video), str(trajectory)]
        code, said = _ended([*command, "-o", str(path)], Path(folder) / "said.txt")
    if code:
        why = said.strip().splitlines()[-1].removeprefix("error: ") if said.strip() else f"it ended with code {code}"
        sentence = f"The overlay '{path}' could not be written: {why.rstrip('.')}."
        raise Motion324Error("overlay-failed", sentence, "", EXIT_CANNOT_WRITE)


def _ended(command: list[str], said: Path) -> tuple[int, str]:
    """The exit code and the last words. Ends it where the batch is stopped."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    with said.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out, env=environment
        )
        try:
            while True:
                look()
                try:
                    code = process.wait(POLL)
                    break
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return code, said.read_bytes()[-SAID:].decode("utf-8", "replace")
