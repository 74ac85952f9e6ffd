"""Reads what a job has left, and the mesh that it moves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.files.json_text import read_json
from motion324.core.files.trajectory_file import Trajectory, load_trajectory
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.files.reading import read_mesh
from motion324.trajectories.result_files import REPORT, TRAJECTORY

SAME = 1e-4  # of the mesh's extent
ALIKE = 0.1  # by how much edges of another pose may be longer or shorter, in the middle of all


@dataclass(frozen=True)
class FoundResult:
    """path: of the trajectory. report: of the job, {} where there is none."""

    path: Path
    trajectory: Trajectory
    report: dict[str, Any]


def read_result(path: Path) -> FoundResult:
    """path: the folder of `motion324 animate`, or a trajectory. Raises Motion324Error("trajectory-unreadable")."""
    file = path / TRAJECTORY if path.is_dir() else path
    trajectory = load_trajectory(file)
    try:
        report = read_json((file.parent / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        report = {}
    return FoundResult(file, trajectory, report if isinstance(report, dict) else {})


def mesh_of(
    found: FoundResult,
    mesh: Path | None,
    blender: Path | None = None,
    up: str | None = None,
    progress: Progress = silent,
) -> ReferenceMesh:
    """The mesh that was animated: of the file, with its materials and texture coordinates, or else the faces alone.

    up: of a mesh without file, "Y" or "Z"; None: as the report says, else "Y". Raises Motion324Error("mesh-differs")
    or what `read_mesh` raises.
    """
    if mesh is not None:
        read = read_mesh(mesh, blender=blender, progress=progress)
        check_is_first_frame(read, mesh, found.trajectory, found.path)
        return read
    described = found.report.get("mesh")
    described = described if isinstance(described, dict) else {}
    faces = found.trajectory.faces
    return ReferenceMesh(
        positions=found.trajectory.positions[0],
        faces=faces,
        face_material=np.zeros(len(faces), np.int32),
        up=up or ("Z" if described.get("up") == "Z" else "Y"),
        name=str(described.get("name") or "mesh"),
    )


def check_is_first_frame(mesh: ReferenceMesh, mesh_path: Path, trajectory: Trajectory, trajectory_path: Path) -> None:
    """Raises Motion324Error("mesh-differs") where the trajectory's first frame is another mesh, or lies elsewhere. It
    may be the same one in another pose, as large and with the same triangles."""
    if not _is_same_mesh(mesh, trajectory):
        raise Motion324Error(
            "mesh-differs",
            f"'{trajectory_path}' was not made from '{mesh_path}': its first frame is another mesh.",
            "Give the mesh that was animated.",
            EXIT_BAD_MESH,
        )


def _is_same_mesh(mesh: ReferenceMesh, trajectory: Trajectory) -> bool:
    own, first = mesh.positions, trajectory.positions[0]
    if own.shape != first.shape:
        return False
    if abs(own - first).max() <= SAME * (own.max(axis=0) - own.min(axis=0)).max():
        return True
    if not np.array_equal(mesh.faces, trajectory.faces):
        return False
    before, after = (np.linalg.norm(each[mesh.faces[:, 0]] - each[mesh.faces[:, 1]], axis=1) for each in (own, first))
    return bool(abs(np.median(after[before > 0] / before[before > 0]) - 1) <= ALIKE)
