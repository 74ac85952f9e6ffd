"""Writes what other programs take: FBX through a Blender process, and a film that goes around the object."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motion324.blender.blender_reading import blender_script, run_in_blender
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.trajectory_file import Trajectory
from motion324.evaluation.mesh_sequence import normalised_by_first_frame
from motion324.rendering.sequence_pictures import Look, draw_sequence
from motion324.video.writing import VideoFile

TURNTABLE_SIZE = 512
ELEVATION = 10.0
LONGEST = 240  # frames of the turntable; of a longer animation every second, third, ... is drawn


def write_fbx(path: Path, glb: Path, fps: float, blender: Path, progress: Progress) -> None:
    """The animated .glb as .fbx with shape keys and embedded textures. Raises Motion324Error("export-failed")."""
    script = blender_script("blender_fbx_script.py")

    def tell(stage: str, done: int, total: int) -> None:
        progress("write", done, total)

    try:
        run_in_blender(blender, script, [str(glb.resolve()), str(path.resolve()), repr(fps)], glb, tell)
    except Motion324Error as error:
        if error.code != "mesh-unreadable":
            raise
        said = error.sentence.split("': ", 1)[-1]
        raise Motion324Error(
            "export-failed",
            f"Blender could not write '{path.name}': {said}",
            f"Import {glb.name}, which has the same animation, in Blender.",
            EXIT_BACKEND,
        ) from error


def write_turntable(path: Path, mesh: ReferenceMesh, trajectory: Trajectory, blender: Path, progress: Progress) -> None:
    """One turn around the object while it moves, on white. Raises Motion324Error("render-failed")."""
    positions = normalised_by_first_frame(trajectory.positions)
    step = int(np.ceil(len(positions) / LONGEST))
    positions = positions[::step]
    look = Look(size=TURNTABLE_SIZE, azimuths=(0.0,), elevation=ELEVATION, turns=1.0).seeing(positions)
    (view,) = draw_sequence(positions, mesh, look, blender, progress)
    with VideoFile(path, trajectory.fps / step) as video:
        for picture in view:
            video.write(picture)
