"""Draws the panels Cut-out and Camera: how the object is separated from the background, the direction of the
camera that a job starts from, and what looks have found of both.
"""

from __future__ import annotations

import bpy

from motion324.core.options.animate_options import AnimateOptions

from ..examining import looks
from ..examining.looks import FoundView
from ..scene.showing import view_angles
from ..ui import choices, thumbnails
from ..ui.choices import in_panel_words, is_poor, match_text
from ..ui.phrases import phrase
from ..ui.readiness import reason_against, reason_against_video
from ..ui.text_lines import draw_lines
from .sidebar import WorkSidebar, draw_button, draw_fact, draw_look, draw_look_problem, properties_layout, value_column

_MENU = choices.names_of(AnimateOptions.specs()["mask"])
FOUND_BY = {**_MENU, "given": _MENU[choices.MASK_FILE]}  # how the backend says what it did
THUMBNAIL_SCALE = 8.0  # in heights of a row


class MOTION324_PT_cut_out(WorkSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_cut_out"
    bl_label = "Cut-out"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 6

    def draw(self, context: bpy.types.Context) -> None:
        settings, examiner = context.scene.motion324, looks.mask_look
        above, _, layout = draw_look(properties_layout(self), examiner, "MASK")
        above.prop(settings, "mask")
        if settings.mask == choices.MASK_FILE:
            above.prop(settings, "mask_path")
        if not examiner.look.running:
            draw_button(layout, "motion324.preview_mask", "MOD_MASK", reason_against_video(context))
        draw_look_problem(layout, context, examiner, "MASK")
        found = examiner.look.answers(looks.mask_key(settings))
        if found is None:
            return
        icon = thumbnails.icon_of(looks.MASK_ICON)
        if icon:
            layout.template_icon(icon_value=icon, scale=THUMBNAIL_SCALE)
        draw_fact(layout, "Found by", phrase(FOUND_BY.get(found.mask_method, found.mask_method)))
        for warning in found.warnings:
            draw_lines(layout, context, in_panel_words(warning["sentence"]), "ERROR")
        layout.operator("motion324.show_mask", text="Image Editor", icon="IMAGE")


class MOTION324_PT_camera(WorkSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_camera"
    bl_label = "Camera"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 7

    def draw(self, context: bpy.types.Context) -> None:
        settings, examiner = context.scene.motion324, looks.view_look
        above, _, layout = draw_look(properties_layout(self), examiner, "VIEW")
        above.prop(settings, "view")
        if settings.view == choices.VIEW_ANGLES:
            _draw_angles(above, context)
        elif settings.view == choices.VIEW_CAMERA:
            _draw_camera(above, context)
        elif settings.view == choices.VIEW_VIEWPORT:
            draw_lines(above, context, "Taken from this viewport when you press Animate", "INFO")
        above.prop(settings, "pose")
        above.prop(settings, "camera")
        if not examiner.look.running:
            draw_button(layout, "motion324.find_view", "VIEWZOOM", reason_against(context))
        draw_look_problem(layout, context, examiner, "VIEW")
        found = looks.view_found_for(context.object, context)
        if found is not None:
            _draw_found(layout, found)


def _draw_angles(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.motion324
    column = layout.column(align=True)
    column.prop(settings, "azimuth")
    column.prop(settings, "elevation")
    row = value_column(layout).row(align=True)
    row.operator("motion324.take_view", text="Viewport", icon="VIEW3D").source = "VIEWPORT"
    cell = row.row(align=True)
    cell.enabled = context.scene.camera is not None
    cell.operator("motion324.take_view", text="", icon="OUTLINER_OB_CAMERA").source = "CAMERA"
    if not cell.enabled:
        draw_lines(layout, context, "The scene has no active camera to take the angles from", "INFO")


def _draw_camera(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if context.scene.camera is None:
        draw_lines(layout, context, "The scene has no active camera", "ERROR")
        return
    draw_fact(layout, "Camera", context.scene.camera.name, "OUTLINER_OB_CAMERA")
    draw_fact(layout, "Angles", angles_text(*view_angles.from_camera(context)))


def _draw_found(layout: bpy.types.UILayout, found: FoundView) -> None:
    column = layout.column(align=True)
    draw_fact(column, "Found", angles_text(found.view.azimuth, found.view.elevation))
    if found.overlap is not None:
        draw_fact(column, "Match", match_text(found.overlap), "ERROR" if is_poor(found.overlap) else "NONE")
    row = layout.row(align=True)
    row.operator("motion324.align_view", text="Align Viewport", icon="VIEW3D").camera = False
    row.operator("motion324.align_view", text="Add Camera", icon="OUTLINER_OB_CAMERA").camera = True


def angles_text(azimuth: float, elevation: float) -> str:
    """Azimuth and elevation in degrees, as the panels show them."""
    return phrase("{azimuth}° around, {elevation}° up", azimuth=f"{azimuth:.0f}", elevation=f"{elevation:.0f}")
