"""Draws pictures of a moving mesh from several sides, under one light and camera, through a Blender process; and
`animation.mp4` in result folders.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motion324.blender.blender_reading import ENVIRONMENT_VARIABLE, blender_script, find_blender, run_in_blender
from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.files.trajectory_file import Trajectory, load_trajectory
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import Material, ReferenceMesh, turned_y_up
from motion324.evaluation.mesh_sequence import normalised_by_first_frame
from motion324.evaluation.predictions import made_mesh
from motion324.mesh.colours import colours_at
from motion324.mesh.files.reading import read_mesh
from motion324.trajectories.result_files import TRAJECTORY
from motion324.video.writing import VideoFile

FOCAL = 50.0 / 36.0  # a 50 mm lens on a sensor of 36 mm
MARGIN = 1.05
SECONDS_PER_PICTURE = 60.0  # at most, before Blender counts as hanging
START_SECONDS = 120.0
GREY = (0.62, 0.64, 0.66, 1.0)
log = logging.getLogger(__name__)

VIDEO = "animation.mp4"
ITEM_FILE = "item.json"  # of a batch; it knows the mesh


@dataclass(frozen=True)
class Look:
    """size: pixels of both sides. azimuths: degrees, one view each; 0 sees the front (+Z), 90 from +X. elevation:
    degrees above the horizon. samples: per pixel, of Blender's Workbench (5, 8, 11, 16 or 32). distance: of the camera
    from the origin, in units of the positions. turns: how often the camera goes around while the sequence plays.
    """

    size: int = 512
    azimuths: tuple[float, ...] = (0.0, 90.0, 180.0, 270.0)
    elevation: float = 0.0
    samples: int = 8
    distance: float = 3.0
    turns: float = 0.0

    def seeing(self, *sequences: np.ndarray) -> Look:
        """From far enough away to see all of the sequences (T, N, 3) from every side."""
        reach = max(float(np.linalg.norm(positions, axis=2).max()) for positions in sequences)
        return dataclasses.replace(self, distance=MARGIN * reach * float(np.hypot(1, 2 * FOCAL)))


def plain_mesh(positions: np.ndarray, faces: np.ndarray) -> ReferenceMesh:
    """A grey mesh, for those whose colours are not known. positions (N, 3), faces (F, 3)."""
    return ReferenceMesh(positions, faces, np.zeros(len(faces), np.int32), (Material(base_colour=GREY),))


def draw_sequence(
    positions: np.ndarray, mesh: ReferenceMesh, look: Look, blender: Path | None = None, progress: Progress = silent
) -> list[np.ndarray]:
    """positions (T, N, 3) of the mesh's vertices, Y up, around the origin -> for each azimuth (T, size, size, 3) uint8
    on white.

    Raises Motion324Error("blender-not-found" or "render-failed"), Cancelled.
    """
    executable = find_blender(blender)
    if executable is None:
        raise Motion324Error(
            "blender-not-found",
            "Drawing a moving mesh needs Blender, which was not found.",
            f"Install Blender or set {ENVIRONMENT_VARIABLE} to its executable.",
            EXIT_BACKEND,
        )
    with tempfile.TemporaryDirectory(prefix="motion324-") as name:
        folder = Path(name)
        _write_job(folder, positions, mesh, look)
        script = blender_script("blender_render_script.py")
        pictures = len(positions) * len(look.azimuths)
        limit = START_SECONDS + SECONDS_PER_PICTURE * pictures

        def tell(stage: str, done: int, total: int) -> None:
            progress("render", sum(1 for _ in folder.glob("view_*/*.png")), pictures)

        try:
            run_in_blender(executable, script, [str(folder)], folder, tell, limit)
        except Motion324Error as error:
            if error.code != "mesh-unreadable":
                raise
            said = error.sentence.split("': ", 1)[-1]
            raise Motion324Error(
                "render-failed",
                f"Blender could not draw '{mesh.name}': {said}",
                "Where there is no screen, Workbench needs libEGL: apt-get install libegl1 libgl1-mesa-dri.",
                EXIT_BACKEND,
            ) from error
        return [_read_view(folder / f"view_{view}", len(positions), mesh.name) for view in range(len(look.azimuths))]


def _write_job(folder: Path, positions: np.ndarray, mesh: ReferenceMesh, look: Look) -> None:
    """Triangles that name a vertex twice cannot be drawn and are left out."""
    a, b, c = mesh.faces.T
    whole = np.flatnonzero((a != b) & (b != c) & (a != c))
    corners = np.eye(3, dtype=np.float32)
    colours = np.stack([colours_at(mesh, whole, np.tile(corner, (len(whole), 1))) for corner in corners], axis=1)
    arrays: dict[str, Any] = {
        "positions": positions.astype(np.float32),
        "faces": mesh.faces[whole],
        "colours": colours,
        "face_material": mesh.face_material[whole],
        "base_colours": np.array([material.base_colour for material in mesh.materials]),
    }
    if mesh.corner_uv is not None:
        arrays["corner_uv"] = mesh.corner_uv[whole]
        for index, material in enumerate(mesh.materials):
            if material.texture is not None:
                arrays[f"texture_{index}"] = material.texture
    np.savez(folder / "sequence.npz", **arrays)
    (folder / "job.json").write_text(json.dumps({**dataclasses.asdict(look), "focal": FOCAL}), encoding="utf-8")


def _read_view(folder: Path, count: int, name: str) -> np.ndarray:
    frames = []
    for index in range(count):
        image = cv2.imread(str(folder / f"frame_{index:04d}.png"), cv2.IMREAD_UNCHANGED)
        if image is None or image.shape[2] != 4:
            raise Motion324Error(
                "render-failed",
                f"Blender drew {index} of {count} frames of '{name}'.",
                "Check that the disk of the temporary folder has room.",
                EXIT_BACKEND,
            )
        alpha = image[..., 3:].astype(np.float32) / 255
        on_white = image[..., 2::-1] * alpha + 255 * (1 - alpha)
        frames.append(np.clip(on_white + 0.5, 0, 255).astype(np.uint8))
    return np.stack(frames)


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
