"""Draws pictures of a moving mesh from several sides, under one light and camera, through a Blender process."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motion324.blender.blender_reading import ENVIRONMENT_VARIABLE, blender_script, find_blender, run_in_blender
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.mesh.colours import colours_at

FOCAL = 50.0 / 36.0  # a 50 mm lens on a sensor of 36 mm
MARGIN = 1.05
SECONDS_PER_PICTURE = 60.0  # at most, before Blender counts as hanging
START_SECONDS = 120.0
GREY = (0.62, 0.64, 0.66, 1.0)


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
