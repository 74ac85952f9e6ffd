"""Shows the backend's log."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..job.runner import runner


class MOTION324_OT_open_log(bpy.types.Operator):
    """Open the backend's log, with the details of the error"""

    bl_idname = "motion324.open_log"
    bl_label = "Open Log"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = runner.state.problem
        if not (problem and problem.log_path and Path(problem.log_path).exists()):
            cls.poll_message_set("There is no log")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.wm.path_open(filepath=runner.state.problem.log_path)
        return {"FINISHED"}
