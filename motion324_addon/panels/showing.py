"""Draws the panels Show and Export: looking at an animated object, and handing it on."""

from __future__ import annotations

import bpy

from ..job.runner import runner
from ..scene.exporting.export_formats import FORMATS, available
from ..ui.phrases import phrase
from ..ui.text_lines import draw_lines
from .result import can_be_played
from .sidebar import Sidebar, draw_fact


class AnimatedSidebar(Sidebar):
    """For an object that moves after a video, kept or not."""

    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return can_be_played(context.object)


class MOTION324_PT_show(AnimatedSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_show"
    bl_label = "Show"
    bl_order = 9

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("motion324.turntable", text="Turntable...", icon="RENDER_ANIMATION")


class MOTION324_PT_export(AnimatedSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_export"
    bl_label = "Export"
    bl_order = 10

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        first, last = runner.frames_of(context.object)
        draw_fact(layout, "Frames", phrase("{first} to {last}", first=first, last=last))
        grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, even_rows=True, align=True)
        grid.operator_context = "INVOKE_DEFAULT"
        missing = []
        for suffix, kind in FORMATS.items():
            cell = grid.row(align=True)
            cell.enabled = available(kind)
            cell.operator("motion324.export", text=f"{kind.label.split()[0]}...").format = suffix
            if not cell.enabled:
                missing.append(kind.label)
        column = layout.column(align=True)
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("motion324.export_rig", text="Rig for Engine...", icon="ARMATURE_DATA")
        column.operator("motion324.export_vertex_textures", text="Vertex Textures...", icon="TEXTURE")
        if missing:
            text = phrase("This Blender was built without {formats}", formats=", ".join(missing))
            draw_lines(layout, context, text, "INFO")
