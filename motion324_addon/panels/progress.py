"""Draws what a running job or look does: its stage, as a bar, and why a look failed."""

from __future__ import annotations

import bpy

from ..examining.examiner import Examiner
from ..running.state import Progress
from ..running.words import stage_label
from ..ui.panel_words import in_panel_words
from ..ui.progress_bar import BarPlace, draw_bar
from ..ui.text_lines import draw_lines


def draw_stage(layout: bpy.types.UILayout, state: Progress) -> BarPlace:
    """A bar with the stage's name; without a stage the backend is being started. See `progress_bar.draw_bar`."""
    return draw_bar(layout, state.fraction or 0.0, stage_label(state.stage))


def draw_look(layout: bpy.types.UILayout, examiner: Examiner, name: str) -> BarPlace:
    """What a look does now, with the button that ends that, if anything. See `progress_bar.draw_bar`."""
    look = examiner.look
    if not look.running:
        return draw_bar(layout, None)
    place = draw_stage(layout, look)
    place.row.operator("motion324.cancel_look", text="", icon="X").look = name
    return place


def draw_look_problem(layout: bpy.types.UILayout, context: bpy.types.Context, examiner: Examiner, name: str) -> None:
    """Why a look failed, with the button that closes that; nothing where it did not."""
    if examiner.look.problem is not None:
        box = layout.box()
        draw_lines(box, context, in_panel_words(str(examiner.look.problem.to_error()).partition("\n")[0]), "ERROR")
        box.operator("motion324.cancel_look", text="Close", icon="X").look = name
