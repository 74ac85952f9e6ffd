"""Takes a job out of the queue."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..job.runner import runner
from .reporting import report_error


class MOTION324_OT_unqueue(bpy.types.Operator):
    """Take the job out of the queue, before it has begun"""

    bl_idname = "motion324.unqueue"
    bl_label = "Remove from Queue"

    index: bpy.props.IntProperty(name="Place", description="In the queue; 0 comes next", min=0)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runner.queue:
            cls.poll_message_set("No job waits")
        return bool(runner.queue)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            runner.unqueue(self.index)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}
