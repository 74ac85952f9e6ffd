"""The page: input, mask, mesh and result side by side; it opens without a network, all pictures stand in it."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.normalisation import normalised_mesh
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.trajectory_file import Trajectory
from motion324.core.write_aside import written_aside
from motion324.evaluation.report.pictures import as_data_url
from motion324.evaluation.report.style import STYLE
from motion324.from_video.preview import as_seen, drawn, reach_of, squared, view_from
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
    name = html.escape(inputs.clip.name)
    progress("report", 0, 1)
    page = "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{name}</title><style>{STYLE}"
            ".row { display: flex; flex-wrap: wrap; gap: .8rem; } .row figure { flex: 0 1 288px; }"
            "</style></head><body>",
            f"<h1>{name}</h1>",
            _summary(inputs),
            _warnings(inputs),
            "<section><h2>From the video to the mesh</h2>",
            _row(_first_frame(inputs)),
            "</section><section><h2>The mesh</h2>",
            _row(_sides(inputs)),
            "</section><section><h2>The animation</h2>",
            *(_film(film, caption) for film, caption in inputs.films),
            *(_row(moment) for moment in _moments(inputs)),
            "</section><section><h2>Files</h2>",
            _files(inputs),
            "</section><section><h2>Seconds</h2>",
            _seconds(inputs),
            "</section></body></html>",
        ]
    )
    with written_aside(path) as aside:
        aside.write_text(page, encoding="utf-8")


Figure = tuple[np.ndarray, str]


def _summary(inputs: PageInputs) -> str:
    mesh, animation = inputs.stages["mesh"].result, inputs.stages["animation"].result
    frames, vertices = inputs.trajectory.positions.shape[:2]
    licence = f'<p class="problem">{html.escape(mesh["licence"])}</p>' if mesh["licence"] else ""
    text = (
        f"{frames} frames at {inputs.trajectory.fps:g} per second, {vertices:,} vertices, {len(inputs.mesh.faces):,} "
        f"triangles. Masks by {inputs.foreground.method}, mesh by {mesh['provider']}, motion by "
        f"{animation['reconstructor']}; in the first frame the silhouettes overlap by "
        f"{animation['silhouette_overlap']:.3f}."
    )
    return f"<p>{html.escape(text)}</p>{licence}"


def _warnings(inputs: PageInputs) -> str:
    sentences = [warning["sentence"] for warning in inputs.stages["animation"].result["warnings"]]
    if not sentences:
        return ""
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in dict.fromkeys(sentences))
    return f'<div class="problems"><b>To look at</b><ul>{items}</ul></div>'


def _first_frame(inputs: PageInputs) -> list[Figure]:
    frame, mask = inputs.clip.frames[0], inputs.foreground.masks[0]
    soft = mask[..., None]
    cut = (frame * soft + 255 * (1 - soft) + 0.5).astype(np.uint8)
    normalised, normalisation = normalised_mesh(inputs.mesh)
    positions = normalisation.to_normalised(inputs.trajectory.positions[0])
    seen = as_seen(positions, normalised, inputs.trajectory.view, *mask.shape)
    return [
        (squared(frame), "input, first frame"),
        (squared(_grey(mask)), f"mask, by {inputs.foreground.method}"),
        (squared(cut), "the object"),
        (seen, "the mesh from the same view"),
    ]


def _grey(mask: np.ndarray) -> np.ndarray:
    return np.repeat((255 * mask[..., None] + 0.5).astype(np.uint8), 3, axis=2)


def _sides(inputs: PageInputs) -> list[Figure]:
    normalised, normalisation = normalised_mesh(inputs.mesh)
    positions = normalisation.to_normalised(inputs.trajectory.positions[0])
    reach = float(np.linalg.norm(positions, axis=1).max())
    return [(drawn(positions, normalised, view_from(azimuth, ELEVATION, reach)), name) for azimuth, name in SIDES]


def _moments(inputs: PageInputs) -> list[list[Figure]]:
    normalised, normalisation = normalised_mesh(inputs.mesh)
    turned = view_from(SIDES[1][0], ELEVATION, reach_of(inputs.trajectory, normalisation))
    size = inputs.clip.frames.shape[1:3]
    rows = []
    for index in np.unique(np.linspace(0, len(inputs.trajectory.positions) - 1, MOMENTS + 1).round().astype(int))[1:]:
        positions = normalisation.to_normalised(inputs.trajectory.positions[index])
        rows.append(
            [
                (squared(inputs.clip.frames[index]), f"frame {inputs.trajectory.frame_numbers[index]}: input"),
                (squared(_grey(inputs.foreground.masks[index])), "mask"),
                (as_seen(positions, normalised, inputs.trajectory.view, size[0], size[1]), "result"),
                (drawn(positions, normalised, turned), "result, from its left"),
            ]
        )
    return rows


def _row(figures: list[Figure]) -> str:
    cells = "".join(
        f'<figure><img src="{as_data_url(picture)}" width="{picture.shape[1]}" alt="{html.escape(caption)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for picture, caption in figures
    )
    return f'<div class="row">{cells}</div>'


def _film(film: Path, caption: str) -> str:
    data = base64.b64encode(film.read_bytes()).decode("ascii")
    return (
        f'<figure><video src="data:video/webm;base64,{data}" controls loop muted playsinline autoplay></video>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _files(inputs: PageInputs) -> str:
    rows = [
        f'<tr><td><a href="{name}">{name}</a></td><td>{html.escape(what)}</td></tr>'
        for name, what in PRODUCTS.items()
        if name in inputs.files
    ]
    return f"<table>{''.join(rows)}</table>"


def _seconds(inputs: PageInputs) -> str:
    rows = [f"<tr><td>{stage.name}</td><td>{stage.seconds:.1f}</td></tr>" for stage in inputs.stages.values()]
    total = sum(stage.seconds for stage in inputs.stages.values())
    return f"<table>{''.join(rows)}<tr><td>all</td><td>{total:.1f}</td></tr></table>"
