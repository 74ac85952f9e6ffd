"""How the object is told from its background."""

from __future__ import annotations

import bpy

from .. import choices
from .sidebar import Sidebar, properties_layout


class MOTION324_PT_foreground(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_foreground"
    bl_label = "Foreground"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = properties_layout(self), context.scene.motion324
        layout.prop(settings, "mask")
        if settings.mask == choices.MASK_FILE:
            layout.prop(settings, "mask_path")
