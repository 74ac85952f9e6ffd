"""Shows what the installation's programs printed."""

from __future__ import annotations

import bpy

from ..installation.runner import runner


class MOTION324_OT_open_installation_log(bpy.types.Operator):
    """Open the installation's log, with the details of the error"""

    bl_idname = "motion324.open_installation_log"
    bl_label = "Open Log of the Installation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runner.place.log.exists():
            cls.poll_message_set("There is no log")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.wm.path_open(filepath=str(runner.place.log))
        return {"FINISHED"}
