"""Looking at the animation."""

from __future__ import annotations

import bpy

from ..ui.readiness import reason_against_object
from ..ui.text_lines import draw_lines
from .sidebar import Sidebar


class MOTION324_PT_show(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_show"
    bl_label = "Show"

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.operator("motion324.overlay", icon="IMAGE_BACKGROUND")
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("motion324.turntable", text="Turntable...", icon="RENDER_ANIMATION")
        reason = reason_against_object(context)
        if reason:
            draw_lines(self.layout, context, reason, "INFO")
