"""Stops the job that runs."""

from __future__ import annotations

import bpy

from ..job.runner import runner


class MOTION324_OT_cancel(bpy.types.Operator):
    """Stop the animation that runs; the scene stays as it was, and the next job that waits starts"""

    bl_idname = "motion324.cancel"
    bl_label = "Cancel Animating"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runner.state.busy:
            cls.poll_message_set("Nothing is being animated")
        return runner.state.busy

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.cancel()
        return {"FINISHED"}
