"""Predicted animations, in whatever form they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.trajectory_file import load_trajectory
from motion324.evaluation.blender_sequences import SUFFIXES, read_animated_file
from motion324.evaluation.mesh_sequence import MeshSequence, bad_sequence, check_sequence
from motion324.evaluation.numbered_files import numbered_files
from motion324.evaluation.release import read_frame_folder
from motion324.mesh.files.reading import read_mesh

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
