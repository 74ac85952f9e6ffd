"""Starts a job: in a window it goes on beside the artist's work, in the background this waits for its end."""

from __future__ import annotations

import sys
from typing import Any

import bpy

from motion324.errors import Motion324Error

from .. import preferences, properties
from ..job.runner import Order, runner
from ..scene import keeping
from ..scene.animation import Animation
from ..terminal import ProgressLine
from .polling import has_mesh
from .reporting import report_error

KEEP = (
    ("NONE", "Ask", "The result waits as a preview"),
    (keeping.SHAPE_KEYS, "Shape Keys", "The result becomes shape keys"),
    (keeping.POINT_CACHE, "Point Cache", "The result becomes a point cache"),
)


class MOTION324_OT_animate(properties.JobProperties, bpy.types.Operator):
    """Animate the active mesh after the video. Not given arguments are taken from the scene's settings"""

    bl_idname = "motion324.animate"
    bl_label = "Animate from Video"
    bl_options = {"UNDO"}

    keep: bpy.props.EnumProperty(name="Keep", description="What becomes of the result", items=KEEP)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if runner.state.busy:
            cls.poll_message_set(f"'{runner.state.object_name}' is being animated")
            return False
        if not has_mesh(cls, context):
            return False
        if context.object.mode == "EDIT":
            cls.poll_message_set("Leave Edit Mode first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self._run(context, context.scene.motion324, keep="NONE")

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._run(context, properties.chosen_of(self, context.scene.motion324), self.keep)

    def _run(self, context: bpy.types.Context, chosen: Any, keep: str) -> set[str]:
        try:
            order = Order(
                obj=context.object,
                video=properties.video_of(chosen),
                options=properties.options_of(chosen),
                python=preferences.backend_python(),
                start=chosen.start_frame,
                mode=chosen.timing,
                when_done=None if bpy.app.background else _keeper(keep),
            )
            if bpy.app.background:
                with ProgressLine(sys.stderr) as line:
                    animation = runner.run_blocking(order, line.show)
                _keep_now(animation, keep)
            else:
                runner.start(order)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


def _keep_now(animation: Animation, keep: str) -> None:
    if keep == keeping.SHAPE_KEYS:
        for _ in keeping.keep_as_shape_keys(animation):
            pass
    elif keep == keeping.POINT_CACHE:
        keeping.keep_as_point_cache(animation)
    if keep != "NONE":
        runner.kept()


def _keeper(keep: str) -> Any:
    """Keeps the result by the operator that the button calls, so that it is a step of its own for undo."""
    operators = {
        keeping.SHAPE_KEYS: bpy.ops.motion324.keep_shape_keys,
        keeping.POINT_CACHE: bpy.ops.motion324.keep_point_cache,
    }
    operator = operators.get(keep)
    return (lambda animation: operator("EXEC_DEFAULT", True)) if operator else None
