"""Draws the rows Mesh and Video, the panel Frames and Timing, and what is set for a new mesh."""

from __future__ import annotations

import bpy

from motion324.core.options.mesh_settings import HUNYUAN_LICENCE, INFLATE, MeshSettings

from ..examining.new_mesh import mesh_look
from ..runner_base.state import stage_label
from ..scene.playing import timing
from ..settings import option_properties
from ..settings.source_video import VideoFacts, facts_of
from ..ui import first_frame, thumbnails
from ..ui.choices import in_panel_words
from ..ui.number_or_all import SPLIT, draw_or_all
from ..ui.phrases import in_short, phrase
from ..ui.readiness import mesh_objects, outcome_of, reason_against_video, speed_of
from ..ui.text_lines import NOTHING, draw_lines
from .sidebar import Sidebar, WorkSidebar, draw_look_problem, properties_layout

THUMBNAIL_SCALE = 3.2  # in heights of a row
FACTS = 3  # rows beside the thumbnail, which have their place also while there is no video


def draw_mesh(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Which mesh is animated; where there is none, the button that makes one of the video."""
    split = layout.split(factor=SPLIT)
    left = split.column()
    left.alignment = "RIGHT"
    left.label(text="Mesh")
    objects = mesh_objects(context)
    if objects:
        split.label(text=in_short([obj.name for obj in objects]), icon="OUTLINER_OB_MESH", translate=False)
        return
    row = split.row(align=True)
    if mesh_look.look.running:
        row.label(text=stage_label(mesh_look.look.stage))
        row.operator("motion324.cancel_look", text="", icon="X").look = "NEW_MESH"
        return
    button = row.row(align=True)
    button.enabled = not reason_against_video(context)
    button.operator("motion324.new_mesh", text="From Video", icon="MESH_DATA").animate = False
    button.operator("motion324.new_mesh", text="", icon="PLAY").animate = True
    row.popover(MOTION324_PT_new_mesh.bl_idname, text="", icon="DOWNARROW_HLT")


def draw_video(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The video by its name, its picture, and what comes of it: as many rows as there ever are."""
    settings = context.scene.motion324
    row = layout.row(align=True)
    row.prop(settings, "video_shown", placeholder="File or folder")
    row.operator("motion324.pick_video", text="", icon="FILEBROWSER")
    facts = facts_of(settings.video)
    split = layout.split(factor=SPLIT)
    left, column = split.column(), split.column(align=True)
    if facts is None or not facts.frames:
        _draw_picture(left, 0)
        _draw_no_video(column, context, facts)
        return
    icon = first_frame.icon_of(bpy.path.abspath(settings.video), settings.first_frame)
    _draw_picture(left, icon or thumbnails.icon_of_file(facts.thumbnail))
    size = "{} × {}, ".format(*facts.size) if facts.size[0] else ""
    column.label(text=f"{size}{facts.fps:g} fps", translate=False)
    outcome = outcome_of(settings, facts, context.scene)
    used = phrase(
        "{used} of {all} frames, {seconds} s",
        used=outcome.frames,
        all=facts.frames,
        seconds=f"{outcome.seconds:.1f}",
    )
    column.label(text=used, translate=False)
    shown = phrase("Scene frames {first} to {last}", first=outcome.first, last=outcome.last)
    column.label(text=speed_of(outcome) or shown, translate=False)


def _draw_picture(layout: bpy.types.UILayout, icon: int) -> None:
    """With its height also while there is none (0), so that nothing below moves when it comes."""
    if icon:
        layout.template_icon(icon_value=icon, scale=THUMBNAIL_SCALE)
        return
    place = layout.row()
    place.scale_y = THUMBNAIL_SCALE
    place.label(text="")


def _draw_no_video(layout: bpy.types.UILayout, context: bpy.types.Context, facts: VideoFacts | None) -> None:
    left: float = FACTS
    if facts is not None:
        icon = "ERROR" if facts.problem else "INFO"
        left -= draw_lines(layout, context, facts.problem or facts.note, icon, part=1 - SPLIT)
    elif not any(obj.type == "MESH" for obj in context.scene.objects):
        layout.operator("motion324.load_example", icon="IMPORT")
        left -= 1
    rest = layout.column()
    rest.scale_y = max(left, NOTHING)
    rest.label(text="")


class MOTION324_PT_frames(WorkSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_frames"
    bl_label = "Frames and Timing"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 5

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = properties_layout(self), context.scene.motion324
        column = layout.column(align=True)
        column.prop(settings, "first_frame")
        draw_or_all(column, settings, ("frame_count", "Frames"), "all_frames", "All")
        column.prop(settings, "frame_step", text="Step")
        draw_or_all(column, settings, ("video_fps", "Per Second"), "all_per_second", "Same as video")
        column = layout.column()
        column.prop(settings, "timing")
        if settings.timing == timing.CUSTOM_FPS:
            column.prop(settings, "custom_fps")
        column.prop(settings, "start_frame")  # what comes of all this is told in the row Video


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
            layout.prop(context.scene.motion324, "seed")
            draw_lines(layout, context, HUNYUAN_LICENCE, "INFO")


def draw_new_mesh_found(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Why no mesh could be made of the video, or what should be known of the one that was made."""
    draw_look_problem(layout, context, mesh_look, "NEW_MESH")
    found = mesh_look.look.found
    if found is None or not found.warnings:
        return
    box = layout.box()
    for warning in found.warnings:
        draw_lines(box, context, in_panel_words(warning["sentence"]), "ERROR")
    box.operator("motion324.cancel_look", text="Close", icon="X").look = "NEW_MESH"
