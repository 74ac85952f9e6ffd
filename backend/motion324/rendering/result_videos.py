"""Draws `animation.mp4` in result folders: the object moves, seen from four sides."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.normalisation import turned_y_up
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.trajectory_file import Trajectory, load_trajectory
from motion324.evaluation.mesh_sequence import normalised_by_first_frame
from motion324.evaluation.predictions import made_mesh
from motion324.mesh.files.reading import read_mesh
from motion324.rendering.sequence_pictures import Look, draw_sequence, plain_mesh
from motion324.trajectories.result_files import TRAJECTORY
from motion324.video.writing import VideoFile

log = logging.getLogger(__name__)

VIDEO = "animation.mp4"
ITEM_FILE = "item.json"  # of a batch; it knows the mesh


def result_folders(root: Path) -> list[Path]:
    """`root` itself, or all folders below it that hold a result. Raises Motion324Error("no-results")."""
    found = sorted(path.parent for path in root.rglob(TRAJECTORY))
    if not found:
        raise Motion324Error(
            "no-results",
            f"'{root}' holds no {TRAJECTORY}, nor does any folder below it.",
            "Give a folder that `motion324 animate` or `motion324 batch` has written.",
            EXIT_USAGE,
        )
    return found


def write_result_videos(
    root: Path,
    look: Look,
    fps: float | None = None,
    mesh: Path | None = None,
    blender: Path | None = None,
    progress: Progress = silent,
) -> Iterator[Path | Motion324Error]:
    """The video of each result under root, or why there is none.

    fps: of the videos; None takes each result's. mesh: file with the colours, for a single result; those of a batch
    name their own, those from a video alone have it beside them, and others are grey.
    """
    for folder in result_folders(root):
        try:
            yield write_result_video(folder, look, fps, mesh, blender, progress)
        except Motion324Error as error:
            if error.code == "cancelled":
                raise
            yield error


def write_result_video(
    folder: Path, look: Look, fps: float | None, mesh: Path | None, blender: Path | None, progress: Progress
) -> Path:
    """Raises Motion324Error: the result cannot be read, drawn or written."""
    trajectory = load_trajectory(folder / TRAJECTORY)
    coloured = _mesh_of(folder, trajectory, mesh, blender)
    positions = normalised_by_first_frame(turned_y_up(trajectory.positions, coloured.up))
    views = draw_sequence(positions, coloured, look.seeing(positions), blender, progress)
    columns = int(np.ceil(np.sqrt(len(views))))
    target = folder / VIDEO
    with VideoFile(target, fps or trajectory.fps) as video:
        for index in range(len(positions)):
            video.write(tiled([view[index] for view in views], columns))
    return target


def tiled(pictures: list[np.ndarray], columns: int) -> np.ndarray:
    """Pictures (H, W, 3) of one size in rows of `columns`; places that are left over are white."""
    blank = np.full_like(pictures[0], 255)
    padded = pictures + [blank] * (-len(pictures) % columns)
    return np.vstack([np.hstack(padded[start : start + columns]) for start in range(0, len(padded), columns)])


def _mesh_of(folder: Path, trajectory: Trajectory, given: Path | None, blender: Path | None) -> ReferenceMesh:
    """The mesh with its colours, where a file that fits is known."""
    path = given or _known_mesh(folder)
    if path is not None:
        try:
            mesh = read_mesh(path, blender=blender)
        except Motion324Error:
            if given:
                raise
        else:
            if mesh.positions.shape == trajectory.positions[0].shape:
                return mesh
            if given:
                raise Motion324Error(
                    "mesh-differs",
                    f"'{folder / TRAJECTORY}' was not made from '{given}': it has "
                    f"{trajectory.positions.shape[1]} vertices, the mesh {len(mesh.positions)}.",
                    "Give the mesh that was animated.",
                    EXIT_USAGE,
                )
    log.info("%s: its mesh is not known; it is drawn in grey", folder)
    return plain_mesh(trajectory.positions[0], trajectory.faces)


def _known_mesh(folder: Path) -> Path | None:
    if made := made_mesh(folder / TRAJECTORY):
        return made
    try:
        item = json.loads((folder / ITEM_FILE).read_text(encoding="utf-8"))
        return Path(item["inputs"]["mesh"]["path"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
