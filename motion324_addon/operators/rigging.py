"""Keeping results as keyframes on bones."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from motion324.core.errors import Motion324Error

from ..job import keeping_bones
from ..job.runner import runner
from ..scene.playing import keeping
from ..settings import preferences, rig_settings
from ..ui.own_language import in_own_language
from ..ui.phrases import tooltip
from ..ui.readiness import reason_against_bones
from .results import KeepingResults


class KeepingBones(rig_settings.RigProperties, KeepingResults):
    """A mixin: `kind` is what becomes of the results, of keeping.BONES. Settings that are not given are the scene's."""

    kind = ""

    to_nla: bpy.props.BoolProperty(
        name="To NLA",
        description="Make the action a strip in the NLA editor",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        try:
            named = context.scene.motion324_rig.armature
            waiting = runner.waiting(properties.object_name, properties.job)
            return reason_against_bones(cls.kind, waiting, named) or tooltip(cls.__doc__)
        except Motion324Error as error:
            return in_own_language(str(error))

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[int, int]]:
        self._animations = self.chosen()
        settings = rig_settings.chosen_of(self, context.scene.motion324_rig)
        wish = keeping_bones.Wish(self.kind, settings, preferences.connection(), self.to_nla)
        self._kept = yield from keeping_bones.keep(self._animations, wish)

    def finished(self, context: bpy.types.Context) -> None:
        for warning in self._kept.warnings:
            self.report({"WARNING"}, in_own_language(warning))
        self.report({"INFO"}, in_own_language(self._kept.said))
        runner.kept(self._animations)


class MOTION324_OT_keep_armature(KeepingBones, bpy.types.Operator):
    """Keep the result as keyframes on the bones of the object's own armature: editable, and what game engines play"""

    bl_idname = "motion324.keep_armature"
    bl_label = "Keep on Armature"
    bl_options = {"UNDO"}
    doing = "Keying bones"
    kind = keeping.ARMATURE


class MOTION324_OT_keep_rig(KeepingBones, bpy.types.Operator):
    """Keep the result as a rig that is made from the motion: an armature with weights and keyframes on its bones"""

    bl_idname = "motion324.keep_rig"
    bl_label = "Keep as Rig"
    bl_options = {"UNDO"}
    doing = "Making a rig"
    kind = keeping.RIG
