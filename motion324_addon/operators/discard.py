"""Takes the preview of a result away."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..job.runner import runner
from ..job.state import ENDED, Phase
from .reporting import report_error


class MOTION324_OT_discard(bpy.types.Operator):
    """Take the result away; the object is as it was before"""

    bl_idname = "motion324.discard"
    bl_label = "Discard Result"

    job: bpy.props.IntProperty(
        name="Job",
        description="Its number; 0 takes the result of the active object, or else the newest, and the message shown",
        min=0,
        options={"SKIP_SAVE"},
    )

    object_name: bpy.props.StringProperty(
        name="Object",
        description="Which of the objects that were animated as one; all if empty",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        shown = None if runner.results else runner.state
        job = runner.jobs.get(properties.job) if properties.job else shown
        if job is not None and job.phase in ENDED - {Phase.DONE}:
            return "Close this message; the object is as it was before the job"
        return cls.__doc__

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        waits = any(job.phase in ENDED for job in runner.jobs.jobs)
        if not waits:
            cls.poll_message_set("There is no result and no message")
        return waits

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            if self.object_name:
                runner.discard(runner.waiting(self.object_name, self.job))
            elif self.job:
                runner.dismiss(self.job)
            else:
                runner.discard()
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}
