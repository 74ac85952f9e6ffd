"""Takes a kept animation off the object again."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..scene.playing import removing
from .polling import mesh_objects
from .reporting import report_error


class MOTION324_OT_remove_animation(bpy.types.Operator):
    """Remove the kept animation of the selected objects, and switch modifiers back on that it replaced"""

    bl_idname = "motion324.remove_animation"
    bl_label = "Remove Animation"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(removing.is_kept(obj) for obj in mesh_objects(context)):
            cls.poll_message_set("No selected object has a kept animation")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            for obj in [each for each in mesh_objects(context) if removing.is_kept(each)]:
                names = ", ".join(f"'{name}'" for name in removing.remove_animation(obj))
                if names:
                    self.report({"INFO"}, f"{names} of '{obj.name}' switched on again")
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}
