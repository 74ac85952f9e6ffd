"""Stops the installation that runs."""

from __future__ import annotations

import bpy

from ..installation.runner import runner
from ..installation.state import Phase, Task


class MOTION324_OT_cancel_installation(bpy.types.Operator):
    """Stop now; what was downloaded is kept, and the installation can be continued later"""

    bl_idname = "motion324.cancel_installation"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return runner.state.phase is Phase.WORKING and runner.state.task is not Task.REMOVE

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.cancel()
        return {"FINISHED"}
