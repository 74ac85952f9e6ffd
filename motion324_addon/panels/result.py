"""The result that waits to be kept."""

from __future__ import annotations

import bpy

from ..job.runner import runner
from ..job.state import Phase
from ..text_lines import draw_lines
from .sidebar import Sidebar, duration


class MOTION324_PT_result(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_result"
    bl_label = "Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return runner.state.phase is Phase.DONE

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, runner.state
        column = layout.column(align=True)
        column.label(text=state.object_name, icon="OUTLINER_OB_MESH", translate=False)
        column.label(text=f"{state.frames} frames in {duration(state.seconds(0.0))}", icon="CHECKMARK")
        for warning in state.warnings:
            draw_lines(layout, context, warning, "ERROR")
        column = layout.column(align=True)
        column.operator("motion324.keep_shape_keys", icon="SHAPEKEY_DATA")
        row = column.row(align=True)
        row.enabled = bool(bpy.data.filepath)
        row.operator("motion324.keep_point_cache", icon="FILE_CACHE")
        if not bpy.data.filepath:
            draw_lines(layout, context, "A point cache lies beside the .blend: save it first", "INFO")
        layout.operator("motion324.discard", icon="TRASH")
