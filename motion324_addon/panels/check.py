"""Draws the panel Check: how far the active object's result can be trusted, and the video over it."""

from __future__ import annotations

import bpy

from ..job.runner import runner
from ..scene.playing import kept_note, trust
from ..scene.showing import overlay_view
from ..ui.choices import is_poor, match_text
from .showing import AnimatedSidebar
from .sidebar import draw_fact, properties_layout


class MOTION324_PT_check(AnimatedSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_check"
    bl_label = "Check"
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        layout, obj = properties_layout(self), context.object
        fit = trust.fit_of(_source_of(obj))
        if fit is not None:
            draw_fact(layout, "Match", match_text(fit.mean), "ERROR" if is_poor(fit.mean) else "NONE")
            row = layout.row(align=True)
            row.label(text="Worst")
            for frame, overlap in sorted(fit.worst):
                button = row.operator("motion324.go_to_frame", text=f"{frame}: {100 * overlap:.0f} %")
                button.frame = frame
        shows = trust.shows_doubt(obj)
        layout.operator("motion324.show_doubt", text="Show Doubt", icon="SHADING_TEXTURE", depress=shows)
        _draw_overlay(layout, context)


def _draw_overlay(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    shown, beside = overlay_view.is_shown(context.scene), overlay_view.is_beside(context.scene)
    row = layout.row(align=True)
    for text, icon, is_this in (("Overlay", "IMAGE_BACKGROUND", False), ("Side by Side", "MOD_MIRROR", True)):
        pressed = shown and beside == is_this
        if pressed:
            row.operator("motion324.hide_overlay", text=text, icon=icon, depress=True)
        else:
            button = row.operator("motion324.overlay", text=text, icon=icon)
            button.beside, button.opacity = is_this, context.scene.motion324.overlay_opacity
    column = layout.column()
    column.enabled = shown and not beside
    column.prop(context.scene.motion324, "overlay_opacity_percent")


def _source_of(obj: bpy.types.Object) -> kept_note.Source | None:
    """Of the result that waits, or else of the one that was kept."""
    for animation in runner.animations:
        if animation.target.uid == obj.session_uid:
            return kept_note.source_of(animation)
    return kept_note.read_source(obj)
