"""Plays the active object's animation: while it is being made, while it waits, and when it was kept."""

from __future__ import annotations

import bpy

from ..job.runner import runner
from ..scene.playing import keeping
from .reporting import has_mesh


class MOTION324_OT_play(bpy.types.Operator):
    """Play the animation of the active object over and over, and nothing before and after it; again to stop"""

    bl_idname = "motion324.play"
    bl_label = "Play Animation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_mesh(cls, context):
            return False
        if _range_of(context.object) is None:
            cls.poll_message_set("The active object has not been animated")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        plays = context.screen is not None and context.screen.is_animation_playing
        if plays:
            bpy.ops.screen.animation_cancel(restore_frame=False)
            return {"FINISHED"}
        first, last = _range_of(context.object)
        scene.use_preview_range = True
        # The end first where the range moves up, or Blender pulls one after the other.
        scene.frame_preview_end = max(last, scene.frame_preview_start)
        scene.frame_preview_start, scene.frame_preview_end = first, last
        if not first <= scene.frame_current <= last:
            scene.frame_set(first)
        if context.screen is not None:
            bpy.ops.screen.animation_play()
        return {"FINISHED"}


def _range_of(obj: bpy.types.Object) -> tuple[int, int] | None:
    """The whole frames over which it moves, as far as that is there; None where it does not."""
    for shown in runner.previews():
        if shown.target.uid == obj.session_uid:
            return shown.timing.whole_frames
    return keeping.animated_range(obj) if keeping.is_kept(obj) else None
