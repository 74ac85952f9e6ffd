"""Writes the page of an animation from a video alone: input, mask, mesh and result side by side.

It opens without a network: all pictures stand in it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.files.trajectory_file import Trajectory
from motion324.core.files.write_aside import written_aside
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh, normalised_mesh
from motion324.evaluation.report.page import filled
from motion324.evaluation.report.pictures import as_data_url
from motion324.from_video.exports import as_seen, drawn, reach_of, squared, view_from
from motion324.from_video.stages import Stage
from motion324.video.foreground.masks import ForegroundMasks

SIDES = ((0.0, "front"), (45.0, "from its left"), (90.0, "left"), (180.0, "back"))
ELEVATION = 8.0
MOMENTS = 4  # of the animation that are shown as pictures
PRODUCTS = {
    "mesh.glb": "the mesh, as the first frame shows it",
    "animated.glb": "the same with one morph target a frame",
    "animated.fbx": "the same with shape keys",
    "trajectory.npz": "where every vertex is in every frame",
    "animation.pc2": "the same as a point cache",
    "overlay.mp4": "the input, the result's outline on it, the result",
    "turntable.mp4": "once around the moving object",
    "turntable.webm": "the same, as browsers play it",
    "preview.webm": "the film above",
    "frames": "the frames that were used",
    "masks": "where the object is in them",
    "crops": "the object alone, in one square for all frames",
    "report.json": "how the animation was made",
    "stages": "what each stage was made from, and its seconds",
}


@dataclass(frozen=True)
class PageInputs:
    """stages: by name. films: WebM files, each with its caption. files: names of all products."""

    clip: VideoClip
    foreground: ForegroundMasks
    mesh: ReferenceMesh
    trajectory: Trajectory
    stages: dict[str, Stage]
    films: tuple[tuple[Path, str], ...]
    files: tuple[str, ...]


def write_page(path: Path, inputs: PageInputs, progress: Progress) -> None:
    """Raises Motion324Error("cannot-write" or "disk-full"), Cancelled."""
    progress("report", 0, 1)
    mesh, animation = inputs.stages["mesh"].result, inputs.stages["animation"].result
    page = filled(
        "from_video.html",
        __name__.rpartition(".")[0],
        title=inputs.clip.name,
        summary=_summary(inputs),
        licence=mesh["licence"],
        warnings=list(dict.fromkeys(one["sentence"] for one in (*mesh.get("warnings", ()), *animation["warnings"]))),
        first_frame=_first_frame(inputs),
        sides=_sides(inputs),
        films=[(_film_address(film), caption) for film, caption in inputs.films],
        moments=_moments(inputs),
        files={name: what for name, what in PRODUCTS.items() if name in inputs.files},
        stages=list(inputs.stages.values()),
    )
    with written_aside(path) as aside:
        aside.write_text(page, encoding="utf-8")


@dataclass(frozen=True)
class Figure:
    """source: an address with the picture itself in it; width: in pixels."""

    source: str
    width: int
    caption: str


def _figure(picture: np.ndarray, caption: str) -> Figure:
    """picture (H, W, 3) uint8."""
    return Figure(as_data_url(picture), picture.shape[1], caption)


def _film_address(film: Path) -> str:
    return f"data:video/webm;base64,{base64.b64encode(film.read_bytes()).decode('ascii')}"


def _summary(inputs: PageInputs) -> str:
    mesh, animation = inputs.stages["mesh"].result, inputs.stages["animation"].result
    frames, vertices = inputs.trajectory.positions.shape[:2]
    return (
        f"{frames} frames at {inputs.trajectory.fps:g} per second, {vertices:,} vertices, {len(inputs.mesh.faces):,} "
        f"triangles. Masks by {inputs.foreground.method}, mesh by {mesh['provider']}, motion by "
        f"{animation['reconstructor']}; in the first frame the silhouettes overlap by "
        f"{animation['silhouette_overlap']:.3f}."
    )


def _first_frame(inputs: PageInputs) -> list[Figure]:
    frame, mask = inputs.clip.frames[0], inputs.foreground.masks[0]
    soft = mask[..., None]
    cut = (frame * soft + 255 * (1 - soft) + 0.5).astype(np.uint8)
    normalised, normalisation = normalised_mesh(inputs.mesh)
    positions = normalisation.to_normalised(inputs.trajectory.positions[0])
    seen = as_seen(positions, normalised, inputs.trajectory.view, *mask.shape)
    return [
        _figure(squared(frame), "input, first frame"),
        _figure(squared(_grey(mask)), f"mask, by {inputs.foreground.method}"),
        _figure(squared(cut), "the object"),
        _figure(seen, "the mesh from the same view"),
    ]


def _grey(mask: np.ndarray) -> np.ndarray:
    return np.repeat((255 * mask[..., None] + 0.5).astype(np.uint8), 3, axis=2)


def _sides(inputs: PageInputs) -> list[Figure]:
    normalised, normalisation = normalised_mesh(inputs.mesh)
    positions = normalisation.to_normalised(inputs.trajectory.positions[0])
    reach = float(np.linalg.norm(positions, axis=1).max())
    return [
        _figure(drawn(positions, normalised, view_from(azimuth, ELEVATION, reach)), name) for azimuth, name in SIDES
    ]


def _moments(inputs: PageInputs) -> list[list[Figure]]:
    normalised, normalisation = normalised_mesh(inputs.mesh)
    turned = view_from(SIDES[1][0], ELEVATION, reach_of(inputs.trajectory, normalisation))
    size = inputs.clip.frames.shape[1:3]
    rows = []
    for index in np.unique(np.linspace(0, len(inputs.trajectory.positions) - 1, MOMENTS + 1).round().astype(int))[1:]:
        positions = normalisation.to_normalised(inputs.trajectory.positions[index])
        rows.append(
            [
                _figure(squared(inputs.clip.frames[index]), f"frame {inputs.trajectory.frame_numbers[index]}: input"),
                _figure(squared(_grey(inputs.foreground.masks[index])), "mask"),
                _figure(as_seen(positions, normalised, inputs.trajectory.view, size[0], size[1]), "result"),
                _figure(drawn(positions, normalised, turned), "result, from its left"),
            ]
        )
    return rows
