"""What the operators that keep results have in common: which of the results that wait are meant."""

from __future__ import annotations

import bpy

from ..job.runner import runner
from ..scene.playing.animation import Animation
from .polling import has_result
from .reporting import SteppedOperator


class KeepingResults(SteppedOperator):
    """A mixin: `chosen` are the animations to keep; `steps` and `finished` are the operator's own."""

    job: bpy.props.IntProperty(
        name="Job", description="Its number; 0 takes the active object's, or else the newest", options={"SKIP_SAVE"}
    )
    object_name: bpy.props.StringProperty(
        name="Object", description="Which of the animated objects; all if empty", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_result(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.run(context)

    def chosen(self) -> tuple[Animation, ...]:
        """Raises Motion324Error("no-result")."""
        return runner.waiting(self.object_name, self.job)
