"""Draws long sentences in panels, which Blender would cut off, and progress bars, and says why one has a place
even while there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import blf
import bpy

from .own_language import in_own_language

FONT = 0  # the interface's own
POINTS = 11.0  # of the interface's text in Blender's themes
BUTTON = 22  # pixels of a button that is an icon, at scale 1
MARGIN = 72  # pixels of tabs and borders, at scale 1
ICON = 20  # pixels of the icon and its gap
CLOSER = 0.85  # of a row: how high the lines of one text are
NOTHING = 0.001  # of a row's height, which is no pixel at any scale; Blender takes 0 for the usual height


def draw_lines(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    icon: str,
    one_less: bool = False,
    part: float = 1.0,
) -> float:
    """The text over as many labels as the region's width asks for, the icon before the first; in the interface's
    language, where that has it.

    one_less: a button stands beside it. part: of the region's width that the layout has.
    Returns how many rows high that is.
    """
    text = in_own_language(text)
    scale = context.preferences.system.ui_scale
    width = (context.region.width - (MARGIN + BUTTON * one_less) * scale) * part - ICON * scale
    blf.size(FONT, POINTS * scale)
    column = layout.column(align=True)
    lines = wrapped(text, width, lambda part: blf.dimensions(FONT, part)[0])
    height = CLOSER if len(lines) > 1 else 1.0
    column.scale_y = height
    for index, line in enumerate(lines):
        column.label(text=line, icon=icon if index == 0 else "BLANK1", translate=False)
    return height * len(lines)


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """The words of the text in lines that are no wider than `width`, where words allow it; paths break anywhere.

    measure: text -> its width.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        if measure(f"{line} {word}") <= width or not line:
            line = f"{line} {word}".strip()
        else:
            lines.append(line)
            line = word
        while measure(line) > width and len(line) > 8:
            cut = next((n for n in range(len(line) - 1, 1, -1) if measure(line[:n]) <= width), len(line) // 2)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line] if line else lines


class BarPlace(NamedTuple):
    """above: what comes before the bar. row: the bar's own, for a button beside it. below: what comes after it."""

    above: bpy.types.UILayout
    row: bpy.types.UILayout
    below: bpy.types.UILayout


def draw_bar(layout: bpy.types.UILayout, factor: float | None, text: str = "", scale: float = 1.0) -> BarPlace:
    """Draws a bar, of which `factor` is full, or none for None; to be called before anything else draws in the panel.

    scale: of its height.

    Returns the layouts that the rest is drawn in.
    """
    above = layout.column()
    place = layout.column(align=factor is None)  # in which a bar of no height adds no gap
    row = place.row(align=True)
    below = place.column()
    row.scale_y = NOTHING if factor is None else scale
    row.progress(factor=factor or 0.0, text=text)
    return BarPlace(above, row, below)
