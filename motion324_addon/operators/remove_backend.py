"""Removes the backend that Motion324 has installed."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..installation.runner import Order, runner
from ..installation.state import Condition, Task
from .install_backend import nothing_runs, run
from .reporting import report_error


class MOTION324_OT_remove_backend(bpy.types.Operator):
    """Remove the backend's folder and what was downloaded for it; weights, results and preferences stay"""

    bl_idname = "motion324.remove_backend"
    bl_label = "Remove Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if runner.look().condition is Condition.MISSING and not runner.state.busy:
            cls.poll_message_set("The backend is not installed")
            return False
        return nothing_runs(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            run(Order(Task.REMOVE))
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}
