"""Keeps the result as shape keys."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..job.runner import runner
from ..scene import keeping
from .reporting import SteppedOperator


class MOTION324_OT_keep_shape_keys(SteppedOperator, bpy.types.Operator):
    """Keep the result as one shape key per frame: part of the .blend, goes along to FBX and GLB"""

    bl_idname = "motion324.keep_shape_keys"
    bl_label = "Keep as Shape Keys"
    bl_options = {"UNDO"}
    doing = "Keeping shape keys"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if runner.animation is None:
            cls.poll_message_set("There is no result to keep")
        return runner.animation is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.run(context)

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[int, int]]:
        return keeping.keep_as_shape_keys(runner.animation)

    def finished(self, context: bpy.types.Context) -> None:
        runner.kept()
