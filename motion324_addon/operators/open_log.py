"""Shows the backend's log."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..job.runner import runner
from ..job.state import JobState


class MOTION324_OT_open_log(bpy.types.Operator):
    """Open the backend's log, with the details of the error"""

    bl_idname = "motion324.open_log"
    bl_label = "Open Backend Log"

    job: bpy.props.IntProperty(
        name="Job", description="Its number; 0 takes the one that failed last", min=0, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(_has_log(job) for job in runner.failures):
            cls.poll_message_set("There is no log")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        told = [job for job in runner.failures if _has_log(job) and self.job in (0, job.number)]
        if not told:
            self.report({"ERROR"}, f"Job {self.job} has no log.")
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=max(told, key=lambda job: job.ended).problem.log_path)
        return {"FINISHED"}


def _has_log(job: JobState) -> bool:
    return bool(job.problem and job.problem.log_path and Path(job.problem.log_path).exists())
