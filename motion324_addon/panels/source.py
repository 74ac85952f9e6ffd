"""Draws the panel Source: which mesh, or a new one, is animated after which video, with which frames, from
which frame on.
"""

from __future__ import annotations

import bpy

from motion324.core.mesh_settings import HUNYUAN_LICENCE, INFLATE, MeshSettings

from ..examining.new_mesh import mesh_look
from ..scene.playing import timing
from ..settings import option_properties
from ..settings.source_video import VideoFacts, facts_of
from ..ui import first_frame, thumbnails
from ..ui.choices import in_panel_words
from ..ui.readiness import FEWEST_FRAMES, mesh_objects, outcome_of, reason_against_video
from ..ui.text_lines import draw_lines
from .sidebar import SPLIT, Sidebar, WorkSidebar, draw_fact, draw_look, draw_look_problem, properties_layout

THUMBNAIL_SCALE = 4.0  # in heights of a row


class MOTION324_PT_source(WorkSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_source"
    bl_label = "Source"

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.motion324
        above, _, layout = draw_look(properties_layout(self), mesh_look, "NEW_MESH")
        objects = mesh_objects(context)
        others = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
        if objects:
            draw_fact(above, "Mesh", objects[0].name + others, "OUTLINER_OB_MESH")
        else:
            draw_fact(above, "Mesh", "None selected", "ERROR")
        row = above.row(align=True)
        row.prop(settings, "video", placeholder="File or folder")
        row.operator("motion324.pick_video", text="", icon="FILEBROWSER")
        facts = facts_of(settings.video)
        if facts is not None:
            _draw_video(above, context, facts)
        draw_new_mesh(layout, context)
        _draw_frames(layout, settings)
        if facts is not None and facts.frames:
            _draw_outcome(layout, context, facts)


def _draw_video(layout: bpy.types.UILayout, context: bpy.types.Context, facts: VideoFacts) -> None:
    if not facts.frames:
        draw_lines(layout, context, facts.problem or facts.note, "ERROR" if facts.problem else "INFO")
        return
    split = layout.split(factor=SPLIT)
    settings = context.scene.motion324
    icon = first_frame.icon_of(bpy.path.abspath(settings.video), settings.first_frame)
    icon = icon or thumbnails.icon_of_file(facts.thumbnail)
    left = split.column()
    if icon:
        left.template_icon(icon_value=icon, scale=THUMBNAIL_SCALE)
    column = split.column(align=True)
    if facts.size[0]:
        column.label(text="{} × {}".format(*facts.size), translate=False)
    column.label(text=f"{facts.frames} frames")
    column.label(text=f"{facts.fps:g} fps")


def _draw_frames(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    column = layout.column(align=True)
    column.prop(settings, "first_frame")
    column.prop(settings, "frame_count", text="Frames")
    column.prop(settings, "frame_step", text="Step")
    column.prop(settings, "video_fps", text="Per Second")
    column = layout.column()
    column.prop(settings, "timing")
    if settings.timing == timing.CUSTOM_FPS:
        column.prop(settings, "custom_fps")
    column.prop(settings, "start_frame")


def _draw_outcome(layout: bpy.types.UILayout, context: bpy.types.Context, facts: VideoFacts) -> None:
    outcome = outcome_of(context.scene.motion324, facts, context.scene)
    if outcome.frames < FEWEST_FRAMES:
        draw_lines(layout, context, "There are too few frames in that range", "ERROR")
    else:
        draw_lines(layout, context, outcome.sentence, "PREVIEW_RANGE")


class MOTION324_PT_new_mesh(Sidebar, bpy.types.Panel):
    """Shown where the arrow beside the button is clicked."""

    bl_idname = "MOTION324_PT_new_mesh"
    bl_label = "New Mesh"
    bl_options = {"INSTANCED"}
    bl_ui_units_x = 16

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = properties_layout(self), context.scene.motion324_new_mesh
        for spec in option_properties.drawn(settings, MeshSettings, MOTION324_PT_new_mesh.bl_label):
            hint = {"placeholder": spec.shown.placeholder} if spec.shown.placeholder else {}
            layout.prop(settings, spec.property_name, **hint)
        if settings.mesh_provider != INFLATE:
            draw_lines(layout, context, HUNYUAN_LICENCE, "INFO")


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
