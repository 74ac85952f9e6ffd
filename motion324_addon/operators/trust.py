"""Has the operators that show where a result may be wrong: the worst frames, and a map of doubt on the mesh."""

from __future__ import annotations

import bpy

from motion324.core.errors import EXIT_USAGE, Motion324Error

from ..job.runner import runner
from ..scene.playing import takes, trust
from ..scene.playing.animation import Animation
from .reporting import has_mesh, report_error

SHADING = "motion324_shading"  # a custom property of the screen: what the viewport coloured by


class MOTION324_OT_go_to_frame(bpy.types.Operator):
    """Go to this frame, in which the result lies on the video worst"""

    bl_idname = "motion324.go_to_frame"
    bl_label = "Go to Frame"
    bl_options = {"REGISTER", "UNDO"}

    frame: bpy.props.IntProperty(name="Frame", description="Of the scene", default=1)

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.frame_set(self.frame)
        return {"FINISHED"}


class MOTION324_OT_show_doubt(bpy.types.Operator):
    """Colour the mesh by how much the video says about it: red was never seen, or lies beside the video's object; \
again to hide it"""

    bl_idname = "motion324.show_doubt"
    bl_label = "Show Doubt"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_mesh(cls, context):
            return False
        obj = context.object
        if runner.result_of(obj) is None and takes.shown_take(obj) is None and not trust.shows_doubt(obj):
            cls.poll_message_set("The active object has no take")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        obj = context.object
        if trust.shows_doubt(obj):
            trust.hide_doubt(obj)
            _colour_by(context, None)
            return {"FINISHED"}
        try:
            doubt = _animation_of(obj).doubt
            if doubt is None or len(doubt) != len(obj.data.vertices):
                sentence = f"Nothing is known of what the video says about the parts of '{obj.name}'."
                raise Motion324Error("no-doubt", sentence, "Animate it again.", EXIT_USAGE)
            trust.show_doubt(obj, doubt)
        except Motion324Error as error:
            return report_error(self, error)
        _colour_by(context, "VERTEX")
        return {"FINISHED"}


def _animation_of(obj: bpy.types.Object) -> Animation:
    for animation in runner.animations:
        if animation.target.uid == obj.session_uid:
            return animation
    return takes.read(obj, takes.shown_take(obj))


def _colour_by(context: bpy.types.Context, kind: str | None) -> None:
    """Has the window's solid 3D views colour by that; None: as they did before."""
    for area in context.screen.areas if context.screen else ():
        if area.type != "VIEW_3D":
            continue
        shading = area.spaces.active.shading
        if kind is None:
            shading.color_type = context.screen.get(SHADING, "MATERIAL")
        elif shading.color_type != kind:
            context.screen[SHADING] = shading.color_type
            shading.color_type = kind
