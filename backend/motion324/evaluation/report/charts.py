"""Draws curves over frames as SVG, which stands in the page itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from motion324.evaluation.report.templating import filled

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
