"""Draws the panel Corrections: what can be pinned, the pins of the active object, and Refine."""

from __future__ import annotations

import bpy
import numpy as np

from ..job.motion_source import source_of
from ..scene.correcting import object_pins, pose_copy
from ..scene.playing.kept_note import Source
from ..ui.phrases import phrase
from .sidebar import Sidebar

ICONS = {
    object_pins.POINT: "PINNED",
    object_pins.PLACE: "EMPTY_AXIS",
    object_pins.STILL: "FREEZE",
    object_pins.POSE: "SCULPTMODE_HLT",
}


class MOTION324_PT_corrections(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_corrections"
    bl_label = "Corrections"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 4

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.object
        if obj is None or obj.type != "MESH":
            return False
        return pose_copy.is_copy(obj) or bool(obj.motion324_pins) or source_of(obj) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, obj = self.layout, context.object
        if pose_copy.is_copy(obj):
            layout.label(text=str(obj[pose_copy.OF]), icon="OUTLINER_OB_MESH", translate=False)
            row = layout.row(align=True)
            row.operator("motion324.take_pose", icon="CHECKMARK")
            row.operator("motion324.discard_pose", text="", icon="X")
            return
        column = layout.column(align=True)
        column.operator("motion324.pin_point", icon="PINNED")
        column.operator("motion324.pin_still", icon="FREEZE")
        column.operator("motion324.edit_pose", icon="SCULPTMODE_HLT")
        source = source_of(obj)
        if obj.motion324_pins:
            box = layout.box().column(align=True)
            for index, pin in enumerate(obj.motion324_pins):
                row = box.row(align=True)
                row.label(text=told(pin, source), icon=ICONS[pin.kind], translate=False)
                row.operator("motion324.remove_pin", text="", icon="X", emboss=False).index = index
        row = layout.row()
        row.scale_y = 1.5
        row.operator("motion324.refine", icon="FILE_REFRESH")


def told(pin: bpy.types.PropertyGroup, source: Source | None) -> str:
    """One line of the list, in frames of the scene. source: of the object's motion, which knows them."""
    first, last = scene_frame(pin.frame, source), scene_frame(pin.last, source)
    if pin.kind == object_pins.STILL:
        return phrase("{group}: still, frames {first} to {last}", group=pin.group, first=first, last=last)
    if pin.kind == object_pins.POSE:
        return phrase("Pose, frame {frame}", frame=first)
    return phrase("Vertex {vertex}, frame {frame}", vertex=pin.vertex, frame=first)


def scene_frame(number: int, source: Source | None) -> int | str:
    """Where the scene shows this frame of the video; "-" where it does not."""
    places = np.flatnonzero(source.frame_numbers == number) if source is not None else ()
    return round(source.timing.frame(int(places[0]))) if len(places) else "-"
