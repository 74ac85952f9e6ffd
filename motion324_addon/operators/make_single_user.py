"""Gives the selected objects meshes of their own."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..scene.playing import single_user
from .polling import mesh_objects
from .reporting import report_error


class MOTION324_OT_make_single_user(bpy.types.Operator):
    """Give the selected objects that share their mesh with others, or have it from another file, a copy of their own"""

    bl_idname = "motion324.make_single_user"
    bl_label = "Make Single User"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(single_user.reason_to_copy(obj) for obj in mesh_objects(context)):
            cls.poll_message_set("No selected object shares its mesh with others")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            names = [obj.name for obj in mesh_objects(context) if single_user.make_single_user(obj)]
        except Motion324Error as error:
            return report_error(self, error)
        self.report({"INFO"}, "With a mesh of their own now: " + ", ".join(f"'{name}'" for name in names))
        return {"FINISHED"}
