"""The first run, and every time that no backend can be used: what will be installed, and the button that does it."""

from __future__ import annotations

import bpy

from ..installation.drawing import draw_first_run
from ..settings import preferences
from .sidebar import Sidebar


class MOTION324_PT_set_up(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_set_up"
    bl_label = "Set Up"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not preferences.is_backend_ready()

    def draw(self, context: bpy.types.Context) -> None:
        draw_first_run(self.layout, context)
