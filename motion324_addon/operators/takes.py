"""Has the operators of takes: showing another one, forgetting one, and bringing back what was discarded."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..job import tweaks
from ..job.runner import runner
from ..scene.playing import takes
from .reporting import report_error


class MOTION324_OT_choose_take(bpy.types.Operator):
    """Show this take as a result that waits: play it, change it, and keep it if it is the better one"""

    bl_idname = "motion324.choose_take"
    bl_label = "Show Take"

    take: bpy.props.StringProperty(
        name="Take", description="Its identifier; the one that was kept last if empty", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _has_takes(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            tweaks.reopen(context.object, self.take)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class MOTION324_OT_remove_take(bpy.types.Operator):
    """Forget this take; what was kept of it stays as it is"""

    bl_idname = "motion324.remove_take"
    bl_label = "Forget Take"
    bl_options = {"REGISTER", "UNDO"}

    take: bpy.props.StringProperty(
        name="Take", description="Its identifier; all of them if empty", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _has_takes(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        takes.remove(context.object, self.take)
        return {"FINISHED"}


def _has_takes(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    if not takes.takes_of(context.object):
        operator.poll_message_set("The active object has no takes")
        return False
    return True


class MOTION324_OT_bring_back(bpy.types.Operator):
    """Bring the result back that was discarded last"""

    bl_idname = "motion324.bring_back"
    bl_label = "Bring Back Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if runner.discarded is None:
            cls.poll_message_set("No result was discarded")
        return runner.discarded is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.bring_back()
        return {"FINISHED"}
