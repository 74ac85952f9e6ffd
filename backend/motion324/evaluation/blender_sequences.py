"""Animated GLB, FBX and Alembic -> MeshSequence, through a Blender process: the backend itself never loads bpy."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from motion324.blender.blender_reading import (
    ENVIRONMENT_VARIABLE,
    blender_script,
    find_blender,
    run_in_blender,
    unreadable_by_blender,
)
from motion324.core.progress import Progress, silent
from motion324.evaluation.mesh_sequence import MeshSequence, check_sequence
from motion324.mesh.checks import bad_mesh

SUFFIXES = (".glb", ".gltf", ".fbx", ".abc")
DEFAULT_FPS = 24.0
_SCRIPT = blender_script("blender_sequence_script.py")


def read_animated_file(
    path: Path,
    fps: float | None = None,
    expected_frames: int = 0,
    blender: Path | None = None,
    progress: Progress = silent,
) -> MeshSequence:
    """All visible meshes of an animated file as one sequence, Y up.

    Frames are those that the file has keys for; if the whole frames between its first and last key are as many as
    expected_frames, those. fps: at which the file's seconds become frames. blender: see find_blender.
    Raises Motion324Error: blender-not-found, mesh-unreadable (with Blender's own words), those of check_sequence.
    """
    executable = find_blender(blender)
    if executable is None:
        raise bad_mesh(
            "blender-not-found",
            f"Reading '{path}' needs Blender, which was not found.",
            f"Install Blender or set {ENVIRONMENT_VARIABLE} to its executable, or give the frames as .npy files.",
        )
    with tempfile.TemporaryDirectory(prefix="motion324-") as folder:
        target = Path(folder) / "sequence.npz"
        arguments = [str(path.resolve()), str(target), str(fps or DEFAULT_FPS), str(expected_frames)]
        run_in_blender(executable, _SCRIPT, arguments, path, progress)
        if not target.exists():
            raise unreadable_by_blender(path, "it wrote nothing")
        with np.load(target, allow_pickle=False) as arrays:
            positions, faces = arrays["positions"], arrays["faces"]
    y_up = np.stack([positions[..., 0], positions[..., 2], -positions[..., 1]], axis=-1)
    return check_sequence(MeshSequence(y_up, faces.astype(np.int32), path))
