"""Writes the report as a page: means, a table of all clips, and of each clip its worst frames, curves and a video.

The worst clip comes first. Curves are SVG, which stands in the page itself. Templates lie in `templates/`; jinja2
escapes whatever stands in them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import numpy as np
from markupsafe import Markup

from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.progress import Progress, silent
from motion324.evaluation.release import ReleaseClip, read_release
from motion324.evaluation.report.pictures import Panels, as_data_url, draw_panels, write_clip_video
from motion324.evaluation.results import METRICS, ClipResult, Evaluation, columns_of, number

WORST_FRAMES = 5  # with the video, two rows of three on a wide screen
CURVES = ("chamfer", "f_0.02", "surface_distance", "vertex_error", "trajectory_error", "jitter", "stretch", "cd_3d",
          "cd_4d", "cd_m")  # fmt: skip
ORDERING = ("chamfer", "cd_4d")  # the metric by which clips and frames are worst, the first that there is


@dataclass(frozen=True)
class Picture:
    """source: an address with the picture itself in it. value: of the metric that frames are ordered by."""

    source: str
    frame: int
    value: float


@dataclass(frozen=True)
class Section:
    """What the page shows of a clip. video: its address, relative to the page; shown: what pictures show, side by side.

    width: of pictures and video, in pixels. charts: as SVG.
    """

    result: ClipResult
    video: str = ""
    pictures: tuple[Picture, ...] = ()
    shown: str = ""
    width: int = 0
    charts: tuple[Markup, ...] = ()
    aligned: str = ""


def write_report(path: Path, evaluation: Evaluation, blender: Path | None = None, progress: Progress = silent) -> None:
    """Writes the page, and beside it the folder STEM_files with one video a clip. Pictures stand in the page itself.

    Clips without scores stand in the page with what is wrong with them. Raises Motion324Error("cannot-write" or
    "disk-full"), Cancelled.
    """
    clips = {clip.name: clip for clip in read_release(Path(evaluation.release))}
    files = path.with_name(f"{path.stem}_files")
    with explained_write_errors(files):
        files.mkdir(parents=True, exist_ok=True)
    ordered = sorted(evaluation.clips, key=_badness, reverse=True)
    sections = []
    for index, result in enumerate(ordered):

        def tell(stage: str, done: int, total: int, index: int = index) -> None:
            progress("report", index, len(ordered))

        sections.append(_section(clips[result.name], result, files, blender, tell))
    page = filled(
        "report.html",
        title=evaluation.title,
        evaluation=evaluation,
        metrics=METRICS,
        columns=columns_of(evaluation),
        means=evaluation.summaries.get("all", {}),
        measured=[metric for metric in METRICS if any(metric in clip.values for clip in evaluation.clips)],
        sections=sections,
    )
    with written_aside(path) as aside:
        aside.write_text(page, encoding="utf-8")


def _badness(result: ClipResult) -> float:
    """Clips without scores come first."""
    metric = _ordering(result)
    return result.values[metric] if metric else math.inf


def _ordering(result: ClipResult) -> str:
    return next((metric for metric in ORDERING if metric in result.values), "")


def _section(clip: ReleaseClip, result: ClipResult, files: Path, blender: Path | None, progress: Progress) -> Section:
    if not result.values:
        return Section(result)
    series = result.per_frame.get(_ordering(result), ())
    worst = [int(index) for index in np.argsort(series)[::-1][:WORST_FRAMES]]
    charts = tuple(
        curve(METRICS[metric].title, values, worst[0] if metric == _ordering(result) else None)
        for metric in CURVES
        if (values := result.per_frame.get(metric))
    )
    degrees, scale = result.alignment.get("degrees"), result.alignment.get("scale")
    aligned = ""
    if degrees is not None and scale is not None:
        aligned = f"Aligned by {degrees:.2f} degrees and a scale of {scale:.4f}."
    section = Section(result, charts=charts, aligned=aligned)
    panels = draw_panels(clip, result, blender, progress)
    return section if panels is None else _with_media(section, panels, worst, series, files)


def _with_media(section: Section, panels: Panels, worst: list[int], series: tuple[float, ...], files: Path) -> Section:
    """The video beside the worst frames; both show the input, the truth and the prediction from left to right."""
    video = files / f"{section.result.name}.webm"
    return dataclasses.replace(
        section,
        shown="input, truth, prediction" if panels.inputs is not None else "truth, prediction",
        width=panels.row(0).shape[1],
        video=quote(f"{files.name}/{video.name}") if write_clip_video(video, panels) else "",
        pictures=tuple(Picture(as_data_url(panels.row(index)), index, series[index]) for index in worst),
    )


WIDTH, HEIGHT = 340, 120
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 20, 18


def curve(title: str, values: Sequence[float], worst: int | None = None) -> Markup:
    """One curve, from 0 to its largest value; gaps where a value is not finite. worst: a frame to mark."""
    known = [value for value in values if math.isfinite(value)]
    top = max(known, default=0.0) or 1.0
    inner, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    step = inner / max(len(values) - 1, 1)

    def place(index: int) -> tuple[str, str]:
        return f"{LEFT + index * step:.1f}", f"{TOP + tall * (1 - values[index] / top):.1f}"

    runs = _runs(values)
    return filled(
        "curve.svg",
        title=title,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=TOP + tall,
        largest=top,
        last=len(values) - 1,
        lines=[" ".join(",".join(place(index)) for index in run) for run in runs if len(run) > 1],
        dots=[place(run[0]) for run in runs if len(run) == 1],
        worst=place(worst) if worst is not None and math.isfinite(values[worst]) else None,
    )


def _runs(values: Sequence[float]) -> list[list[int]]:
    """Indices of finite values, those that follow each other together; where most are missing, all in one."""
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    if 2 * len(finite) < len(values):
        return [finite] if finite else []
    runs: list[list[int]] = []
    for index in finite:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def filled(template: str, *packages: str, **values: Any) -> Markup:
    """The text of a template, with `values` in it. packages: whose `templates` folder is looked into, before ours.

    base.html is what a page extends: it has the look, the block `style` for more of it, and the block `body`.
    """
    loaders = [jinja2.PackageLoader(package) for package in (*packages, __name__.rpartition(".")[0])]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return Markup(environment.get_template(template).render(values))
