"""Curves over frames as SVG, drawn into the page itself."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from motion324.evaluation.table import number

WIDTH, HEIGHT = 340, 120
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 20, 18


def curve(title: str, values: Sequence[float], worst: int | None = None) -> str:
    """One curve, from 0 to its largest value; gaps where a value is not finite. worst: a frame to mark."""
    known = [value for value in values if math.isfinite(value)]
    top = max(known, default=0.0) or 1.0
    inner, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    step = inner / max(len(values) - 1, 1)

    def place(index: int, value: float) -> str:
        return f"{LEFT + index * step:.1f},{TOP + tall * (1 - value / top):.1f}"

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
        f'<text class="title" x="{LEFT}" y="12">{html.escape(title)}</text>',
        f'<text x="{LEFT - 4}" y="{TOP + 4}" text-anchor="end">{number(top)}</text>',
        f'<text x="{LEFT - 4}" y="{TOP + tall}" text-anchor="end">0</text>',
        f'<path class="axis" d="M{LEFT},{TOP}V{TOP + tall}H{WIDTH - RIGHT}"/>',
        f'<text x="{LEFT}" y="{HEIGHT - 4}">0</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">frame {len(values) - 1}</text>',
    ]
    for run in _runs(values):
        points = " ".join(place(index, values[index]) for index in run)
        if len(run) == 1:
            parts.append('<circle class="dot" r="2" cx="{}" cy="{}"/>'.format(*points.split(",")))
        else:
            parts.append(f'<polyline points="{points}"/>')
    if worst is not None and math.isfinite(values[worst]):
        parts.append('<circle class="worst" r="3.5" cx="{}" cy="{}"/>'.format(*place(worst, values[worst]).split(",")))
    return "".join([*parts, "</svg>"])


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
