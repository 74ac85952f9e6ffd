"""Has the operators for the jobs that wait, for all jobs at once, and for one that failed by its settings."""

from __future__ import annotations

import bpy

from motion324.core.errors import EXIT_USAGE, Motion324Error

from ..job.runner import runner
from ..ui.phrases import tooltip
from .animation import OfFailedJob
from .reporting import passed_on, report_error


class MOTION324_OT_requeue(bpy.types.Operator):
    """Let the job start one place earlier, or later, than the others that wait"""

    bl_idname = "motion324.requeue"
    bl_label = "Move in Queue"

    index: bpy.props.IntProperty(name="Place", description="In the queue; 0 comes next", min=0)
    later: bpy.props.BoolProperty(name="Later", description="Else earlier", options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.later:
            return tooltip("Let the job start one place later")
        return tooltip("Let the job start one place earlier")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if len(runner.queue) < 2:
            cls.poll_message_set("No two jobs wait")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            runner.requeue(self.index, self.index + (1 if self.later else -1))
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class MOTION324_OT_cancel_all(bpy.types.Operator):
    """Stop the animation that runs, and take all that wait out of the queue; results that wait to be kept stay"""

    bl_idname = "motion324.cancel_all"
    bl_label = "Cancel All"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runner.state.busy and not runner.queue:
            cls.poll_message_set("Nothing is being animated")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.cancel_all()
        return {"FINISHED"}


class MOTION324_OT_try_again(OfFailedJob, bpy.types.Operator):
    """Animate the same objects again with the settings as they are now, in place of the job that failed"""

    bl_idname = "motion324.try_again"
    bl_label = "Try Again"

    def execute(self, context: bpy.types.Context) -> set[str]:
        number = self.number()
        try:
            if not any(job.number == number for job in runner.failures):
                raise Motion324Error("no-failed-job", f"No job {number} has failed.", exit_code=EXIT_USAGE)
            objects = [target.get() for target in runner.targets_of(number)]
        except Motion324Error as error:
            return report_error(self, error)
        call = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        with context.temp_override(object=objects[0], active_object=objects[0], selected_objects=objects):
            done = passed_on(self, lambda: bpy.ops.motion324.animate(call))
        if done == {"FINISHED"} and any(job.number == number for job in runner.failures):
            runner.dismiss(number)
        return done
