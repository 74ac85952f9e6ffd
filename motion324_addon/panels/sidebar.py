"""What the panels of the sidebar share, and the panel that stands alone until a backend can be used."""

from __future__ import annotations

import bpy

from ..installation.drawing import draw_first_run
from ..job.runner import runner
from ..settings import preferences
from ..ui.text_lines import draw_lines

SPLIT = 0.4  # of a row with a property, as Blender splits it


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
    context: bpy.types.Context,
    operator: str,
    icon: str,
    reason: str,
    text: str | None = None,
    scale: float = 1.0,
) -> bpy.types.OperatorProperties:
    """The operator's button; grey, with the reason below it, where there is one against it. Returns its arguments."""
    row = layout.row()
    row.scale_y = scale
    row.enabled = not reason
    arguments = row.operator(operator, text=text, icon=icon)
    if reason:
        draw_lines(layout, context, reason, "INFO")
    return arguments


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

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not preferences.is_backend_ready()

    def draw(self, context: bpy.types.Context) -> None:
        draw_first_run(self.layout, context)
