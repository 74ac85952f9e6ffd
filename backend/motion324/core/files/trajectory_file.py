"""Reads and writes `trajectory.npz`: a trajectory as arrays, for other programs. Needs numpy only."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.files.npz_file import UnusableArchive, opened_npz
from motion324.core.files.write_aside import written_aside
from motion324.core.result import AnimationResult
from motion324.core.view import View


@dataclass(frozen=True)
class Trajectory:
    """What the file holds. T frames, N vertices, F triangles.

    positions (T, N, 3) float32 and faces (F, 3) int32: the mesh's own coordinates and vertex order.
    frame_numbers (T,) int64: of the video. fps: frames per second. view: the camera, relative to the mesh that was
    animated, in its own pose, in normalised space (Y up, bounding box centred, longest side 1). camera_to_first: as
    AnimationResult has it.
    """

    positions: np.ndarray
    faces: np.ndarray
    frame_numbers: np.ndarray
    fps: float
    view: View
    camera_to_first: np.ndarray | None = None


_NEEDED = (
    "positions",
    "faces",
    "frame_numbers",
    "fps",
    "view_rotation",
    "view_translation",
    "view_focal",
    "view_centre",
)


def save_trajectory(path: Path, result: AnimationResult, faces: np.ndarray) -> None:
    """Writes positions, faces, frame_numbers, fps, the view's four parts and, where there is any, the camera's motion
    under the names below, without pickles.

    Raises Motion324Error("disk-full" or "cannot-write"); `path` has the whole file, or stays as it was.
    """
    view, moving = result.view, result.camera_to_first
    path_of_camera: dict[str, Any] = {} if moving is None else {"camera_to_first": np.asarray(moving, np.float64)}
    with written_aside(path) as aside, aside.open("wb") as file:
        np.savez(
            file,
            positions=np.asarray(result.positions, np.float32),
            faces=np.asarray(faces, np.int32),
            frame_numbers=np.asarray(result.frame_numbers, np.int64),
            fps=np.float64(result.fps),
            view_rotation=np.asarray(view.rotation, np.float64),
            view_translation=np.asarray(view.translation, np.float64),
            view_focal=np.float64(view.focal),
            view_centre=np.asarray(view.centre, np.float64),
            **path_of_camera,
        )


def load_trajectory(path: Path) -> Trajectory:
    """Raises Motion324Error("trajectory-unreadable") where the file is missing, of another kind, or inconsistent."""
    try:
        with opened_npz(path) as arrays:
            if missing := [name for name in _NEEDED if name not in arrays]:
                raise _unreadable(path, f"lacks '{missing[0]}'")
            trajectory = Trajectory(
                positions=arrays["positions"],
                faces=arrays["faces"],
                frame_numbers=arrays["frame_numbers"],
                fps=float(arrays["fps"]),
                view=View(
                    rotation=arrays["view_rotation"],
                    translation=arrays["view_translation"],
                    focal=float(arrays["view_focal"]),
                    centre=(float(arrays["view_centre"][0]), float(arrays["view_centre"][1])),
                ),
                camera_to_first=arrays.get("camera_to_first"),
            )
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {(error.strerror or 'the disk does not give it').lower()}") from error
    except UnusableArchive as error:
        raise _unreadable(path, f"cannot be read: {error}") from error
    except (KeyError, IndexError, TypeError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise _unreadable(path, "is damaged, or holds something else") from error
    shape = trajectory.positions.shape
    if len(shape) != 3 or shape[2] != 3 or trajectory.frame_numbers.shape != (shape[0],):
        raise _unreadable(path, f"has positions of shape {shape} for {trajectory.frame_numbers.size} frames")
    if not all(array.dtype.kind in "fiu" for array in (trajectory.positions, trajectory.faces)):
        raise _unreadable(path, "holds something else than numbers where its positions or faces should be")
    moving = trajectory.camera_to_first
    if moving is not None and (moving.shape != (shape[0], 3, 3) or not (np.abs(np.linalg.det(moving)) > 0).all()):
        raise _unreadable(path, f"has a camera's motion of shape {moving.shape} for {shape[0]} frames, or none at all")
    return trajectory


def _unreadable(path: Path, why: str) -> Motion324Error:
    return Motion324Error(
        "trajectory-unreadable",
        f"The trajectory '{path}' {why}.",
        "Give a trajectory.npz that `motion324 animate` has written.",
        EXIT_BAD_MESH,
    )
