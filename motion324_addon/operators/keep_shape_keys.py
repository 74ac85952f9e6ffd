"""Keeps the result as shape keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import bpy

from ..job.runner import runner
from ..scene import keeping, kept_note
from ..scene.animation import Animation
from .polling import has_result
from .reporting import SteppedOperator


class MOTION324_OT_keep_shape_keys(SteppedOperator, bpy.types.Operator):
    """Keep the result as one shape key per frame: part of the .blend, goes along to FBX and GLB"""

    bl_idname = "motion324.keep_shape_keys"
    bl_label = "Keep as Shape Keys"
    bl_options = {"UNDO"}
    doing = "Keeping shape keys"

    job: bpy.props.IntProperty(
        name="Job", description="Its number; 0 takes the active object's, or else the newest", options={"SKIP_SAVE"}
    )
    object_name: bpy.props.StringProperty(
        name="Object", description="Which of the animated objects; all if empty", options={"SKIP_SAVE"}
    )
    single_user: bpy.props.BoolProperty(
        name="Make Single User",
        description="Give objects that share their mesh a copy of their own first, so that the others stay as they are",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_result(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.run(context)

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[int, int]]:
        self._animations: Sequence[Animation] = runner.waiting(self.object_name, self.job)
        yield from keeping.keep_all_as_shape_keys(self._animations, self.single_user)

    def finished(self, context: bpy.types.Context) -> None:
        for animation in self._animations:
            obj = animation.target.get()
            names = ", ".join(f"'{name}'" for name, _, _ in kept_note.read_put_back(obj).modifiers)
            if names:
                self.report({"INFO"}, f"{names} of '{obj.name}' switched off: what they did is part of the shape keys")
        runner.kept(self._animations)
