"""The page: means, a table of all clips, and of each its worst frames, curves and a video, the worst clip first."""

from __future__ import annotations

import html
import math
from pathlib import Path
from urllib.parse import quote

import numpy as np

from motion324.core.progress import Progress, silent
from motion324.core.write_aside import explained_write_errors, written_aside
from motion324.evaluation.metrics import METRICS
from motion324.evaluation.release import ReleaseClip, read_release
from motion324.evaluation.report.charts import curve
from motion324.evaluation.report.pictures import Panels, as_data_url, draw_panels, write_clip_video
from motion324.evaluation.report.style import STYLE
from motion324.evaluation.results import ClipResult, Evaluation
from motion324.evaluation.table import columns_of, number

WORST_FRAMES = 5  # with the video, two rows of three on a wide screen
CURVES = ("chamfer", "f_0.02", "surface_distance", "vertex_error", "trajectory_error", "jitter", "stretch", "cd_3d",
          "cd_4d", "cd_m")  # fmt: skip
ORDERING = ("chamfer", "cd_4d")  # the metric by which clips and frames are worst, the first that there is


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
    page = "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(evaluation.title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{html.escape(evaluation.title)}</h1>",
            f"<p>{html.escape(evaluation.predictions)} against {html.escape(evaluation.release)}; "
            f"protocol {html.escape(evaluation.protocol)}, {evaluation.settings['samples']:,} samples, "
            f"alignment {html.escape(str(evaluation.settings['alignment']))}.</p>",
            _problems(evaluation),
            _means(evaluation),
            _left_out(evaluation),
            _table(evaluation, ordered),
            *sections,
            "<h2>Notes</h2><ul>",
            *(f"<li>{html.escape(note)}</li>" for note in evaluation.notes),
            *(f"<li><b>{html.escape(METRICS[c].title)}</b>: {html.escape(METRICS[c].meaning)}</li>" for c in METRICS
              if any(c in clip.values for clip in evaluation.clips)),
            "</ul></body></html>",
        ]
    )  # fmt: skip
    with written_aside(path) as aside:
        aside.write_text(page, encoding="utf-8")


def _badness(result: ClipResult) -> float:
    """Clips without scores come first."""
    metric = _ordering(result)
    return result.values[metric] if metric else math.inf


def _ordering(result: ClipResult) -> str:
    return next((metric for metric in ORDERING if metric in result.values), "")


def _problems(evaluation: Evaluation) -> str:
    if not evaluation.problems:
        return ""
    lines = "".join(
        f"<li><b>{html.escape(name)}</b>: {html.escape(problem.sentence)}</li>" for name, problem in evaluation.problems
    )
    return f'<div class="problems"><b>Problems</b><ul>{lines}</ul></div>'


def _means(evaluation: Evaluation) -> str:
    summaries = evaluation.summaries.get("all", {})
    tiles = [
        f'<div class="tile" title="{html.escape(METRICS[column].meaning)}"><span>{html.escape(METRICS[column].title)}'
        f"</span><b>{number(summary.mean)}</b><small>{number(summary.low)} to {number(summary.high)}</small></div>"
        for column in columns_of(evaluation)
        if (summary := summaries.get(column))
    ]
    tiles += [
        f'<div class="tile" title="{html.escape(METRICS[metric].meaning)}"><span>{html.escape(METRICS[metric].title)}'
        f"</span><b>{number(value)}</b><small>all clips together</small></div>"
        for metric, value in evaluation.overall.items()
    ]
    return f'<div class="tiles">{"".join(tiles)}</div><p class="small">Means over clips, with 95% intervals.</p>'


def _left_out(evaluation: Evaluation) -> str:
    lines = "".join(
        f"<li><b>{html.escape(METRICS[metric].title)}</b>: {html.escape(why)}</li>"
        for metric, why in evaluation.left_out.items()
    )
    return f'<p class="small">Left out, since they could not run:</p><ul class="small">{lines}</ul>' if lines else ""


def _table(evaluation: Evaluation, ordered: list[ClipResult]) -> str:
    columns = columns_of(evaluation)
    head = "".join(f"<th>{html.escape(METRICS[column].title)}</th>" for column in columns)
    rows = []
    for result in ordered:
        cells = "".join(
            f"<td>{number(result.values[column]) if column in result.values else '-'}</td>" for column in columns
        )
        name = html.escape(result.name)
        rows.append(f'<tr><td><a href="#{name}">{name}</a></td><td>{result.split}</td>{cells}</tr>')
    return f"<table><tr><th>clip</th><th>split</th>{head}</tr>{''.join(rows)}</table>"


def _section(clip: ReleaseClip, result: ClipResult, files: Path, blender: Path | None, progress: Progress) -> str:
    name = html.escape(result.name)
    parts = [f'<section id="{name}"><h2>{name}</h2>']
    parts += [f'<p class="problem">{html.escape(problem.sentence)}</p>' for problem in result.problems]
    if not result.values:
        return "".join([*parts, "</section>"])
    series = result.per_frame.get(_ordering(result), ())
    worst = [int(index) for index in np.argsort(series)[::-1][:WORST_FRAMES]]
    panels = draw_panels(clip, result, blender, progress)
    if panels is not None:
        parts.append(_media(clip, panels, worst, series, files))
    charts = [
        curve(METRICS[metric].title, values, worst[0] if metric == _ordering(result) else None)
        for metric in CURVES
        if (values := result.per_frame.get(metric))
    ]
    parts.append(f'<div class="charts">{"".join(charts)}</div>')
    degrees, scale = result.alignment.get("degrees"), result.alignment.get("scale")
    if degrees is not None and scale is not None:
        parts.append(f'<p class="small">Aligned by {degrees:.2f} degrees and a scale of {scale:.4f}.</p>')
    return "".join([*parts, "</section>"])


def _media(clip: ReleaseClip, panels: Panels, worst: list[int], series: tuple[float, ...], files: Path) -> str:
    """The video beside the worst frames; both show the input, the truth and the prediction from left to right."""
    shown = "input, truth, prediction" if panels.inputs is not None else "truth, prediction"
    figures = []
    video = files / f"{clip.name}.webm"
    width = panels.row(0).shape[1]
    if write_clip_video(video, panels):
        source = html.escape(quote(f"{files.name}/{video.name}"))
        poster = as_data_url(panels.row(worst[0]))
        figures.append(
            f'<figure><video src="{source}" poster="{poster}" width="{width}" controls loop muted playsinline></video>'
            f"<figcaption>{shown}</figcaption></figure>"
        )
    figures += [
        f'<figure><img src="{as_data_url(panels.row(index))}" width="{width}" alt="frame {index}: {shown}">'
        f"<figcaption>frame {index}, {number(series[index])}{', the worst' if place == 0 else ''}</figcaption></figure>"
        for place, index in enumerate(worst)
    ]
    return f'<div class="media">{"".join(figures)}</div>'
