"""A mesh from the video alone: the button, what it does now, and what makes the mesh."""

from __future__ import annotations

import bpy

from motion324.core.hunyuan_licence import LICENCE

from ..examining.new_mesh import mesh_look
from ..settings.new_mesh_settings import HUNYUAN, HUNYUAN_SERVER, INFLATE
from ..ui.panel_words import in_panel_words
from ..ui.readiness import reason_against_video
from ..ui.text_lines import draw_lines
from .progress import draw_look_problem
from .sidebar import Sidebar, properties_layout


class MOTION324_PT_new_mesh(Sidebar, bpy.types.Panel):
    """Shown where the arrow beside the button is clicked."""

    bl_idname = "MOTION324_PT_new_mesh"
    bl_label = "New Mesh"
    bl_options = {"INSTANCED"}
    bl_ui_units_x = 16

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = properties_layout(self), context.scene.motion324_new_mesh
        layout.prop(settings, "mesh_provider")
        if settings.mesh_provider == INFLATE:
            return
        if settings.mesh_provider == HUNYUAN_SERVER:
            layout.prop(settings, "hunyuan_server", placeholder="http://127.0.0.1:8081")
        if settings.mesh_provider == HUNYUAN:
            layout.prop(settings, "hunyuan_model")
        layout.prop(settings, "mesh_faces")
        layout.prop(settings, "mesh_texture")
        draw_lines(layout, context, LICENCE, "INFO")


def draw_new_mesh(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Below the video in the panel Source, where the bar is while a mesh is made."""
    if not mesh_look.look.running:
        row = layout.row(align=True)
        button = row.row(align=True)
        reason = reason_against_video(context)
        button.enabled = not reason
        button.operator("motion324.new_mesh", icon="MESH_DATA").animate = False
        button.operator("motion324.new_mesh", text="", icon="PLAY").animate = True
        row.popover(MOTION324_PT_new_mesh.bl_idname, text="", icon="DOWNARROW_HLT")
        if reason:
            draw_lines(layout, context, reason, "INFO")
    draw_look_problem(layout, context, mesh_look, "NEW_MESH")
    found = mesh_look.look.found
    if found is None or not found.warnings:
        return
    box = layout.box()
    for warning in found.warnings:
        draw_lines(box, context, in_panel_words(warning["sentence"]), "ERROR")
    box.operator("motion324.cancel_look", text="Close", icon="X").look = "NEW_MESH"
