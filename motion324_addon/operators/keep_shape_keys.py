"""Keeps the result as shape keys."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from motion324.core.errors import Motion324Error

from ..job.runner import runner
from ..scene.playing import keeping, kept_note
from .keeping_results import KeepingResults
from .polling import reason_against_shape_keys


class MOTION324_OT_keep_shape_keys(KeepingResults, bpy.types.Operator):
    """Keep the result as one shape key per frame: part of the .blend, goes along to FBX and GLB"""

    bl_idname = "motion324.keep_shape_keys"
    bl_label = "Keep as Shape Keys"
    bl_options = {"UNDO"}
    doing = "Keeping shape keys"

    single_user: bpy.props.BoolProperty(
        name="Make Single User",
        description="Give objects that share their mesh a copy of their own first, so that the others stay as they are",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        try:
            return reason_against_shape_keys(runner.waiting(properties.object_name, properties.job)) or cls.__doc__
        except Motion324Error as error:
            return str(error)

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[int, int]]:
        self._animations = self.chosen()
        yield from keeping.keep_all_as_shape_keys(self._animations, self.single_user)

    def finished(self, context: bpy.types.Context) -> None:
        for animation in self._animations:
            obj = animation.target.get()
            names = ", ".join(f"'{name}'" for name, _, _ in kept_note.read_put_back(obj).modifiers)
            if names:
                self.report({"INFO"}, f"{names} of '{obj.name}' switched off: what they did is part of the shape keys")
        runner.kept(self._animations)
