"""Takes the preview of a result away."""

from __future__ import annotations

import bpy

from ..job.runner import runner
from ..job.state import Phase


class MOTION324_OT_discard(bpy.types.Operator):
    """Take the result away, or close the message; the object is as it was before"""

    bl_idname = "motion324.discard"
    bl_label = "Discard"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return runner.state.phase in (Phase.DONE, Phase.FAILED, Phase.CANCELLED)

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.discard()
        return {"FINISHED"}
