"""The panel Foreground: how the object is separated from the background, and the mask of the first frame."""

from __future__ import annotations

import bpy

from motion324.core.options import AnimateOptions

from ..examining import looks
from ..ui import choices, thumbnails
from ..ui.panel_words import in_panel_words
from ..ui.readiness import reason_against_video
from ..ui.text_lines import draw_lines
from .progress import draw_look, draw_look_problem
from .sidebar import WorkSidebar, draw_button, draw_fact, properties_layout

_MENU = choices.names_of(AnimateOptions.specs()["mask"])
FOUND_BY = {**_MENU, "given": _MENU[choices.MASK_FILE]}  # how the backend says what it did
THUMBNAIL_SCALE = 8.0  # in heights of a row


class MOTION324_PT_foreground(WorkSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_foreground"
    bl_label = "Foreground"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings, examiner = context.scene.motion324, looks.mask_look
        above, _, layout = draw_look(properties_layout(self), examiner, "MASK")
        above.prop(settings, "mask")
        if settings.mask == choices.MASK_FILE:
            above.prop(settings, "mask_path")
        if not examiner.look.running:
            draw_button(layout, context, "motion324.preview_mask", "MOD_MASK", reason_against_video(context))
        draw_look_problem(layout, context, examiner, "MASK")
        found = examiner.look.answers(looks.mask_key(settings))
        if found is None:
            return
        icon = thumbnails.icon_of(looks.MASK_ICON)
        if icon:
            layout.template_icon(icon_value=icon, scale=THUMBNAIL_SCALE)
        draw_fact(layout, "Found by", FOUND_BY.get(found.mask_method, found.mask_method))
        for warning in found.warnings:
            draw_lines(layout, context, in_panel_words(warning["sentence"]), "ERROR")
        layout.operator("motion324.show_mask", text="Image Editor", icon="IMAGE")
