"""From where the video sees the mesh."""

from __future__ import annotations

import bpy

from .. import choices
from ..scene import view_angles
from ..text_lines import draw_lines
from .sidebar import Sidebar, draw_fact, properties_layout, value_column


class MOTION324_PT_view(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_view"
    bl_label = "View"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = properties_layout(self), context.scene.motion324
        layout.prop(settings, "view")
        if settings.view == choices.VIEW_ANGLES:
            column = layout.column(align=True)
            column.prop(settings, "azimuth")
            column.prop(settings, "elevation")
            row = value_column(layout).row(align=True)
            row.operator("motion324.take_view", text="Viewport", icon="VIEW3D").source = "VIEWPORT"
            row.operator("motion324.take_view", text="Camera", icon="CAMERA_DATA").source = "CAMERA"
        elif settings.view == choices.VIEW_CAMERA:
            _draw_camera(layout, context)
        elif settings.view == choices.VIEW_VIEWPORT:
            draw_lines(layout, context, "Taken from this viewport when you press Animate", "INFO")


def _draw_camera(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if context.scene.camera is None:
        draw_lines(layout, context, "The scene has no active camera", "ERROR")
        return
    draw_fact(layout, "Camera", context.scene.camera.name, "OUTLINER_OB_CAMERA")
    draw_fact(layout, "Angles", angles_text(*view_angles.from_camera(context)))


def angles_text(azimuth: float, elevation: float) -> str:
    """Azimuth and elevation in degrees, as the panels show them."""
    return f"{azimuth:.0f}° around, {elevation:.0f}° up"
