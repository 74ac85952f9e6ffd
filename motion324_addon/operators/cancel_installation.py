"""Stops the installation that runs."""

from __future__ import annotations

import bpy

from ..installation.runner import runner
from ..installation.state import Phase, Task


class MOTION324_OT_cancel_installation(bpy.types.Operator):
    """Stop now; what was downloaded is kept, and the installation can be continued later"""

    bl_idname = "motion324.cancel_installation"
    bl_label = "Cancel Installation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if runner.state.phase is not Phase.WORKING:
            cls.poll_message_set("It is being cancelled" if runner.state.busy else "Nothing is being installed")
            return False
        if runner.state.task is Task.REMOVE:
            cls.poll_message_set("What has been removed does not come back")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.cancel()
        return {"FINISHED"}
