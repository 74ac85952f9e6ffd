"""A progress bar in a panel, and why it has a place even while there is none.

While the mouse is over a bar, Blender keeps that very widget alive from one drawing to the next: it hands it the place
of the widget that it takes for the same one. Of widgets without property and operator (bars, labels, pictures, boxes)
it takes the first for the first, the second for the second, and so on, whatever they are (Blender's source:
but_equals_old and but_update_old_active_from_new in interface.cc). So where a bar goes away, it is painted in place of
the picture, the label or the box that has become the one with its number, until the mouse leaves it. A panel that may
have a bar therefore draws it before all else, and draws an empty one of no height where it has none to show.
"""

from __future__ import annotations

from typing import NamedTuple

import bpy

NOTHING = 0.001  # of a row's height, which is no pixel at any scale; Blender takes 0 for the usual height


class BarPlace(NamedTuple):
    """above: what comes before the bar. row: the bar's own, for a button beside it. below: what comes after it."""

    above: bpy.types.UILayout
    row: bpy.types.UILayout
    below: bpy.types.UILayout


def draw_bar(layout: bpy.types.UILayout, factor: float | None, text: str = "") -> BarPlace:
    """Draws a bar, of which `factor` is full, or none for None; to be called before anything else draws in the panel.

    Returns the layouts that the rest is drawn in.
    """
    above = layout.column()
    place = layout.column(align=factor is None)  # in which a bar of no height adds no gap
    row = place.row(align=True)
    below = place.column()
    if factor is None:
        row.scale_y = NOTHING
    row.progress(factor=factor or 0.0, text=text)
    return BarPlace(above, row, below)
