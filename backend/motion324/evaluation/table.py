"""Lays an evaluation out as a table for the terminal."""

from __future__ import annotations

import textwrap

from motion324.evaluation.metrics import METRICS
from motion324.evaluation.protocols import get_protocol
from motion324.evaluation.results import ClipResult, Evaluation

WIDTH = 120
PICTURES = ("psnr", "ssim", "lpips_vgg", "lpips_alex", "dreamsim", "clip")


def table_lines(evaluation: Evaluation) -> list[str]:
    """One line a clip, then means with their intervals of confidence, then notes and problems."""
    columns = columns_of(evaluation)
    name_width = max([len("clip"), len("mean of short"), *(len(clip.name) for clip in evaluation.clips)])
    widths = [max(len(METRICS[column].title), 9) for column in columns]
    head = "  ".join(f"{METRICS[column].title:>{width}}" for column, width in zip(columns, widths, strict=True))
    lines = [f"{evaluation.title} ({evaluation.protocol})", f"{'clip':{name_width}}  {head}"]
    lines += [f"{clip.name:{name_width}}  {_cells(clip, columns, widths)}" for clip in evaluation.clips]
    for split, summaries in evaluation.summaries.items():
        if split != "all" and len(evaluation.summaries) == 2:
            continue  # one split is all there is
        cells = [number(summaries[c].mean) if c in summaries else "-" for c in columns]
        label = "mean" if split == "all" else f"mean of {split}"
        lines.append(f"{label:{name_width}}  " + "  ".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True)))
    lines += _intervals(evaluation, columns)
    if floor := evaluation.summaries.get("all", {}).get("chamfer_floor"):
        lines.append(
            f"Other samples of the same surface already have a CD of {number(floor.mean)}; surface has no floor."
        )
    lines += [f"{METRICS[metric].title} of all clips together: {number(v)}" for metric, v in evaluation.overall.items()]
    lines += [f"{METRICS[metric].title} is left out. {why}" for metric, why in evaluation.left_out.items()]
    lines += [line for note in evaluation.notes for line in textwrap.wrap(note, WIDTH)]
    problems = evaluation.problems
    if problems:
        lines.append(f"{len({name for name, _ in problems})} of {len(evaluation.clips)} clips have problems:")
        lines += [f"  {name}: {problem.sentence}" for name, problem in problems]
    return lines


def columns_of(evaluation: Evaluation) -> list[str]:
    """The protocol's columns that any clip has; all of them where none has any."""
    wanted = (*get_protocol(evaluation.protocol).columns, *PICTURES)
    known = [column for column in wanted if any(column in clip.values for clip in evaluation.clips)]
    return known or list(get_protocol(evaluation.protocol).columns)


def number(value: float) -> str:
    """Four digits that matter, without an exponent where that is short."""
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"


def _cells(clip: ClipResult, columns: list[str], widths: list[int]) -> str:
    cells = [number(clip.values[column]) if column in clip.values else "-" for column in columns]
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _intervals(evaluation: Evaluation, columns: list[str]) -> list[str]:
    summaries = evaluation.summaries.get("all", {})
    told = [
        f"{METRICS[c].title} {number(s.mean)} [{number(s.low)}, {number(s.high)}]"
        for c in columns
        if (s := summaries.get(c)) and s.clips > 1
    ]
    return textwrap.wrap("Means with 95% intervals over clips: " + "; ".join(told), WIDTH) if told else []
