"""Draws what the panels of the sidebar share, and the panel that stands alone until a backend can be used.

A running job or look is drawn as its stage with a bar; why a look failed is said as well.
"""

from __future__ import annotations

import bpy

from ..examining.examiner import Examiner
from ..installation.drawing import draw_first_run
from ..job.runner import runner
from ..runner_base.state import Progress, stage_label
from ..settings import preferences
from ..ui.choices import in_panel_words
from ..ui.number_or_all import SPLIT
from ..ui.text_lines import BarPlace, draw_bar, draw_lines


class Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Motion324"


class WorkSidebar(Sidebar):
    """For what needs a backend: not there before one can be used."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return preferences.is_backend_ready() or runner.state.busy


def properties_layout(panel: bpy.types.Panel) -> bpy.types.UILayout:
    """The panel's layout, with names on the left and values on the right."""
    layout = panel.layout
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout


def draw_fact(layout: bpy.types.UILayout, name: str, value: str, icon: str = "NONE") -> None:
    """A row that looks like a property, but only tells."""
    split = layout.split(factor=SPLIT)
    left = split.column()
    left.alignment = "RIGHT"
    left.label(text=name)
    split.label(text=value, icon=icon, translate=False)


def draw_button(
    layout: bpy.types.UILayout,
    operator: str,
    icon: str,
    reason: str,
    text: str | None = None,
) -> bpy.types.OperatorProperties:
    """The operator's button; grey where there is a reason against it, told elsewhere. Returns its arguments."""
    row = layout.row()
    row.enabled = not reason
    return row.operator(operator, text=text, icon=icon)


def value_column(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """The right side of a property's row."""
    split = layout.split(factor=SPLIT)
    split.column()
    column = split.column(align=True)
    column.use_property_split = False
    return column


class MOTION324_PT_set_up(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_set_up"
    bl_label = "Set Up"
    bl_order = 0

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not preferences.is_backend_ready()

    def draw(self, context: bpy.types.Context) -> None:
        draw_first_run(self.layout, context)


def draw_stage(layout: bpy.types.UILayout, state: Progress, scale: float = 1.0) -> BarPlace:
    """A bar with the stage's name; without a stage the engine is being started. See `text_lines.draw_bar`."""
    return draw_bar(layout, state.fraction or 0.0, stage_label(state.stage), scale)


def draw_look(layout: bpy.types.UILayout, examiner: Examiner, name: str) -> BarPlace:
    """What a look does now, with the button that ends that, if anything. See `text_lines.draw_bar`."""
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
