"""Shows the video over the animated mesh, from the camera that was found."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..job.runner import runner
from ..scene.playing import kept_note
from ..scene.playing.kept_note import Source
from ..scene.showing import overlay
from .polling import has_mesh
from .reporting import report_error


class MOTION324_OT_overlay(bpy.types.Operator):
    """Look through a camera that sees the mesh as the video does, with the video in its background"""

    bl_idname = "motion324.overlay"
    bl_label = "Overlay Video"
    bl_options = {"REGISTER", "UNDO"}

    opacity: bpy.props.FloatProperty(
        name="Opacity", description="Of the video", default=0.5, min=0.0, max=1.0, subtype="FACTOR"
    )
    in_front: bpy.props.BoolProperty(
        name="In Front", description="The video lies over the mesh, else behind it", default=True
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_mesh(cls, context):
            return False
        if _source(context.object) is None:
            cls.poll_message_set("The active object has not been animated after a video")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        obj, source = context.object, _source(context.object)
        try:
            moved = kept_note.moved_since(obj, source.matrix)
            overlay.show_overlay(context.scene, source, opacity=self.opacity, in_front=self.in_front, moved=moved)
        except Motion324Error as error:
            return report_error(self, error)
        first, last = source.timing.whole_frames
        if not first <= context.scene.frame_current <= last:
            context.scene.frame_set(first)
        _look_through(context)
        return {"FINISHED"}


def _source(obj: bpy.types.Object) -> Source | None:
    """Of the result that waits, or else of the one that was kept."""
    for animation in runner.animations:
        if animation.target.uid == obj.session_uid:
            return kept_note.source_of(animation)
    return kept_note.read_source(obj)


def _look_through(context: bpy.types.Context) -> None:
    """Turns the window's 3D views, where there are any, to the scene's camera."""
    for area in context.screen.areas if context.screen else ():
        if area.type == "VIEW_3D":
            area.spaces.active.region_3d.view_perspective = "CAMERA"
