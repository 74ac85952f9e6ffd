"""Stops the job that runs."""

from __future__ import annotations

import bpy

from ..job.runner import runner
from ..job.state import Phase


class MOTION324_OT_cancel(bpy.types.Operator):
    """Stop the animation that runs; the scene stays as it was"""

    bl_idname = "motion324.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return runner.state.busy and runner.state.phase is not Phase.CANCELLING

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.cancel()
        return {"FINISHED"}
