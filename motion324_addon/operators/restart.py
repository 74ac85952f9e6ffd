"""Does a job again that failed, or whose backend ended."""

from __future__ import annotations

import bpy

from ..job.runner import runner
from ..job.state import REPEATABLE


class MOTION324_OT_restart(bpy.types.Operator):
    """Start the same job again: the same mesh, video and options, with a new backend where that has ended"""

    bl_idname = "motion324.restart"
    bl_label = "Restart Job"

    job: bpy.props.IntProperty(
        name="Job", description="Its number; 0 takes the one that failed last", min=0, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runner.failures:
            cls.poll_message_set("No job has failed")
        return bool(runner.failures)

    def execute(self, context: bpy.types.Context) -> set[str]:
        failed = {job.number: job for job in runner.failures}
        last = max(failed.values(), key=lambda job: job.ended)
        chosen = failed.get(self.job or last.number)
        if chosen is None or chosen.phase not in REPEATABLE:
            self.report({"ERROR"}, f"No job {self.job} has failed.")
            return {"CANCELLED"}
        runner.restart(chosen.number)
        return {"FINISHED"}
