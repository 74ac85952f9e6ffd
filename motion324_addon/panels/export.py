"""Handing the animation on."""

from __future__ import annotations

import bpy

from ..scene import export
from ..scene.keeping import animated_range
from ..text_lines import draw_lines
from .sidebar import Sidebar


class MOTION324_PT_export(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_export"
    bl_label = "Export"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if context.object is not None and context.object.type == "MESH":
            first, last = animated_range(context.object)
            layout.label(text=f"Frames {first} to {last}", icon="PREVIEW_RANGE")
        column = layout.column(align=True)
        column.operator_context = "INVOKE_DEFAULT"
        missing = []
        for suffix, kind in export.FORMATS.items():
            row = column.row(align=True)
            row.enabled = export.available(kind)
            row.operator("motion324.export", text=f"{kind.label}...", icon="EXPORT").format = suffix
            if not row.enabled:
                missing.append(kind.label)
        if missing:
            draw_lines(layout, context, f"This Blender was built without {' and '.join(missing)}", "INFO")
