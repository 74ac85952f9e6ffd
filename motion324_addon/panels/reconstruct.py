"""How the motion is reconstructed."""

from __future__ import annotations

import bpy

from .. import choices
from ..text_lines import draw_lines
from .sidebar import Sidebar, properties_layout


class MOTION324_PT_reconstruct(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_reconstruct"
    bl_label = "Reconstruct"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = properties_layout(self), context.scene.motion324
        column = layout.column()
        column.prop(settings, "reconstructor")
        if settings.reconstructor == choices.MOTION_TRANSFORMER:
            column.prop(settings, "device")
            column.prop(settings, "precision")
            draw_lines(layout, context, "Its published weights may not be used commercially", "INFO")
        column = layout.column()
        column.prop(settings, "smooth")
        column.prop(settings, "seed")
