"""Has the operator that turns a kept animation into a strip of the NLA editor."""

from __future__ import annotations

import bpy

from motion324.core.inside_blender import nla
from motion324.core.inside_blender.rig import keying

from ..scene.playing import keeping
from ..ui.phrases import phrase
from .reporting import has_mesh


class MOTION324_OT_push_to_nla(bpy.types.Operator):
    """Make the kept animation's action a strip in the NLA editor, so that others can be made, blended and repeated"""

    bl_idname = "motion324.push_to_nla"
    bl_label = "Push to NLA"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_mesh(cls, context):
            return False
        if keeping.keyed_data(context.object) is None:
            cls.poll_message_set("The object has no kept animation whose action could be pushed down")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        data = keeping.keyed_data(context.object)
        action = data.animation_data.action
        (keying if keying.is_keyed(data) else nla).push_down(data, action)
        self.report({"INFO"}, phrase("'{name}' is a strip in the NLA editor now", name=action.name))
        return {"FINISHED"}
