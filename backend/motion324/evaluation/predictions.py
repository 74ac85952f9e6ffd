"""Reads predicted animations in whatever form they come.

Animated GLB, FBX and Alembic are read through a Blender process: the backend itself never loads bpy.
"""

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
from motion324.core.files.trajectory_file import load_trajectory
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh, turned_y_up
from motion324.evaluation.mesh_sequence import MeshSequence, bad_sequence, check_sequence, numbered_files
from motion324.evaluation.release import read_frame_folder
from motion324.mesh.checks import bad_mesh
from motion324.mesh.files.reading import read_mesh

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
    return check_sequence(MeshSequence(turned_y_up(positions, "Z"), faces.astype(np.int32), path))


TRAJECTORY = "trajectory.npz"
MADE_MESH = "mesh.glb"  # beside a trajectory from a video alone: the mesh with its colours
STILLS = "mesh_*.glb"  # one a frame, as for ActionBench
FORMS = (
    f"NAME/{TRAJECTORY}, NAME.npz, NAME/ or NAME_pointclouds/ with faces.npy, NAME/{STILLS} (one a frame), NAME.glb, "
    "NAME.fbx or NAME.abc"
)


def find_prediction(folder: Path, name: str) -> Path:
    """The file or folder that holds the prediction of clip `name`; see FORMS.

    Raises Motion324Error: prediction-missing, prediction-empty, prediction-ambiguous.
    """
    own = folder / name
    candidates = [own / TRAJECTORY, folder / f"{name}.npz", own]
    candidates += [folder / f"{name}_pointclouds", folder / "pcds" / f"{name}_pointclouds"]
    candidates += [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    for candidate in candidates:
        if candidate.is_file() or (candidate / "faces.npy").is_file() or any(candidate.glob("frame_*.npy")):
            return candidate
    if len(list(own.glob(STILLS))) > 1:
        return own
    inside = sorted(file for file in own.glob("*") if file.suffix.lower() in SUFFIXES) if own.is_dir() else []
    if len(inside) > 1:
        raise bad_sequence(
            "prediction-ambiguous", f"'{own}' holds {len(inside)} animated files.", "Leave the one that counts."
        )
    if inside:
        return inside[0]
    if own.is_dir():
        raise bad_sequence("prediction-empty", f"The folder '{own}' holds no prediction.", f"Known forms: {FORMS}.")
    raise bad_sequence(
        "prediction-missing", f"'{folder}' has no prediction of the clip '{name}'.", f"Known forms: {FORMS}."
    )


def made_mesh(prediction: Path) -> Path | None:
    """The mesh that lies beside a result from a video alone."""
    path = prediction.with_name(MADE_MESH)
    return path if prediction.name == TRAJECTORY and path.is_file() else None


def read_prediction(
    path: Path,
    fps: float | None = None,
    expected_frames: int = 0,
    blender: Path | None = None,
    progress: Progress = silent,
) -> MeshSequence:
    """What find_prediction has found. Files that Blender reads are turned Y up; all others count as Y up already.

    Raises Motion324Error that names the file and what is wrong with it.
    """
    progress("read", 0, 1)
    if path.is_dir():
        return _read_stills(path, progress) if any(path.glob(STILLS)) else read_frame_folder(path)
    if path.suffix.lower() in SUFFIXES:
        return read_animated_file(path, fps, expected_frames, blender, progress)
    trajectory = load_trajectory(path)
    return check_sequence(MeshSequence(trajectory.positions, trajectory.faces, path))


def _read_stills(folder: Path, progress: Progress) -> MeshSequence:
    """One mesh a frame. Raises Motion324Error("sequence-topology-changes"), and those of numbered_files."""
    paths = numbered_files(folder, STILLS)
    frames: list[ReferenceMesh] = []
    for index, path in enumerate(paths):
        progress("read", index, len(paths))
        frames.append(read_mesh(path, progress=progress))
        if frames[-1].positions.shape != frames[0].positions.shape:
            raise bad_sequence(
                "sequence-topology-changes",
                f"'{path}' has {len(frames[-1].positions)} vertices, the first frame {len(frames[0].positions)}.",
            )
        if not np.array_equal(frames[-1].faces, frames[0].faces):
            raise bad_sequence(
                "sequence-topology-changes",
                f"The triangles of '{path}' are not those of the first frame, or have another order.",
            )
    positions = np.stack([mesh.positions for mesh in frames]).astype(np.float32)
    return check_sequence(MeshSequence(positions, frames[0].faces.astype(np.int32), folder))
