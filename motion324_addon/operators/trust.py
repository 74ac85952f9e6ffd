"""Has the operators that show where a result may be wrong: the worst frames, and a map of doubt on the mesh."""

from __future__ import annotations

import bpy

from motion324.core.errors import EXIT_USAGE, Motion324Error

from ..job.doubt_view import show_now
from ..job.runner import runner
from ..scene.playing import takes, trust
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
    """Colour the mesh by how far it may lie off at this frame, red by a twentieth of its size or more; again to hide"""

    bl_idname = "motion324.show_doubt"
    bl_label = "Show Doubt"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_mesh(cls, context):
            return False
        obj = context.object
        previewed = any(shown.target.uid == obj.session_uid for shown in runner.previews())
        if (
            not previewed
            and runner.result_of(obj) is None
            and takes.shown_take(obj) is None
            and not trust.shows_doubt(obj)
        ):
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
            if not show_now(obj, context.scene.frame_current_final):
                sentence = f"Nothing is known yet of how far '{obj.name}' may lie off."
                raise Motion324Error("no-doubt", sentence, "Wait for the result, or animate it again.", EXIT_USAGE)
        except Motion324Error as error:
            return report_error(self, error)
        _colour_by(context, "VERTEX")
        return {"FINISHED"}


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
