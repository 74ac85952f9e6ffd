"""Draws the panel Tweak: what can be changed of a result without finding it again, and the object's takes."""

from __future__ import annotations

import bpy

from ..job import tweaks
from ..job.runner import runner
from ..scene.playing import takes
from ..ui.choices import in_panel_words
from ..ui.text_lines import draw_lines
from .sidebar import Sidebar, properties_layout

TOLD = 0.78  # of a take's row: its name; the rest is how well it matches the video


class MOTION324_PT_tweak(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_tweak"
    bl_label = "Tweak"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 2

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.object
        return runner.result_of(obj) is not None or bool(takes.takes_of(obj))

    def draw(self, context: bpy.types.Context) -> None:
        layout, obj = properties_layout(self), context.object
        settings = obj.motion324_tweak
        column = layout.column()
        for name in ("smoothing", "strength_percent", "speed", "start"):
            column.prop(settings, name)
        part = column.column(align=True)
        part.prop(settings, "trim_start")
        part.prop(settings, "trim_end")
        column.prop(settings, "still")
        column.prop(settings, "loop")
        if tweaks.problem:
            draw_lines(layout, context, in_panel_words(tweaks.problem), "ERROR")
        _draw_takes(layout, context, obj)


def _draw_takes(layout: bpy.types.UILayout, context: bpy.types.Context, obj: bpy.types.Object) -> None:
    found = takes.takes_of(obj)
    if found:
        box = layout.box().column(align=True)
        waiting = {each.take for each in runner.animations if each.target.uid == obj.session_uid}
        for take in found:
            row = box.row(align=True)
            shows = take.identifier in waiting or (take.shown and not waiting)
            icon = "RADIOBUT_ON" if shows else "RADIOBUT_OFF"
            part = row.split(factor=TOLD if take.match else 1.0, align=True)
            part.operator("motion324.choose_take", text=take.name, icon=icon, translate=False).take = take.identifier
            if take.match:
                part.label(text=f"{100 * take.match:.0f} %", translate=False)
            row.operator("motion324.remove_take", text="", icon="X").take = take.identifier
    if runner.result_of(obj) is not None and found:
        layout.prop(context.scene.motion324, "add_take", text="Keep Earlier Takes")
