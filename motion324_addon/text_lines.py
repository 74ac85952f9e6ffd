"""Long sentences in panels, which Blender would cut off."""

from __future__ import annotations

import textwrap

import bpy

LETTER = 6.5  # pixels at scale 1, about
MARGIN = 60  # pixels of icon and borders


def draw_lines(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """The text over as many labels as the region's width asks for, the icon before the first."""
    width = context.region.width / context.preferences.system.ui_scale
    column = layout.column(align=True)
    for index, line in enumerate(textwrap.wrap(text, max(16, int((width - MARGIN) / LETTER)))):
        column.label(text=line, icon=icon if index == 0 else "BLANK1", translate=False)
