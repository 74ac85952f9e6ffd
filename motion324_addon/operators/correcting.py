"""Has the operators that take a dragged pose of a result, and refine the result after all that is pinned."""

from __future__ import annotations

import sys

import bpy
import numpy as np

from motion324.core.errors import Motion324Error

from ..batch.blocking import ProgressLine
from ..job.correction import Correction
from ..job.motion_source import source_of
from ..job.records import Order
from ..job.runner import runner
from ..scene.correcting import earlier, object_pins, picking, pose_copy
from ..scene.playing import keeping, kept_note
from ..scene.reading.joining import JointReading
from ..settings import preferences, properties
from .animation import KEEP, keep_now, keeper
from .pinning import CURRENT, has_source, place_now
from .reporting import report_error


class MOTION324_OT_edit_pose(bpy.types.Operator):
    """Make a copy of the mesh as this frame shows it, to be dragged, sculpted or edited; Take Pose then pins it"""

    bl_idname = "motion324.edit_pose"
    bl_label = "Edit Pose at This Frame"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_source(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        obj = context.object
        try:
            source = source_of(obj)
            place, number = place_now(source, CURRENT)
            waiting = [each for each in runner.animations if each.target.uid == obj.session_uid]
            shown = waiting[0].positions[place] if waiting else picking.shown_positions(obj)
            pose_copy.begin(obj, shown, number)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class PoseCopy:
    """A mixin for what is done with the copy."""

    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not pose_copy.is_copy(context.object):
            cls.poll_message_set("Press Edit Pose at This Frame first, and select the copy that it makes")
            return False
        return True


class MOTION324_OT_take_pose(PoseCopy, bpy.types.Operator):
    """Pin the object to this pose at its frame, and remove the copy"""

    bl_idname = "motion324.take_pose"
    bl_label = "Take Pose"

    def execute(self, context: bpy.types.Context) -> set[str]:
        copy = context.object
        try:
            obj = pose_copy.original_of(copy)
            positions = pose_copy.positions_of_copy(copy)
            frame = int(copy[pose_copy.FRAME])
            pose_copy.end(copy)
            object_pins.add_pose(obj, frame, positions)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class MOTION324_OT_discard_pose(PoseCopy, bpy.types.Operator):
    """Remove the copy; nothing is pinned"""

    bl_idname = "motion324.discard_pose"
    bl_label = "Discard Pose"

    def execute(self, context: bpy.types.Context) -> set[str]:
        pose_copy.end(context.object)
        return {"FINISHED"}


class MOTION324_OT_refine(bpy.types.Operator):
    """Fit the frames around the pins again, from the result as it is; all other frames stay"""

    bl_idname = "motion324.refine"
    bl_label = "Refine"

    keep: bpy.props.EnumProperty(
        name="Keep", description="What becomes of the result", items=KEEP, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_source(cls, context):
            return False
        if not context.object.motion324_pins:
            cls.poll_message_set("Pin a point, a group or a pose first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            order = _order(context, self.keep)
            if bpy.app.background:
                with ProgressLine(sys.stderr) as line:
                    runner.run_blocking(order, line.show)
                keep_now(runner.animations_of(runner.state.number), self.keep, False, False)
            else:
                runner.start(order)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


def _order(context: bpy.types.Context, keep: str) -> Order:
    obj = context.object
    job = runner.result_of(obj)
    if job is not None:
        animations = tuple(each.as_if_found() for each in runner.animations_of(job.number))
    else:
        animations = (earlier.kept_animation(obj),)
    order = runner.orders.get(job.number) if job is not None else None
    settings = properties.shown_of(context.scene.motion324)
    options = properties.options_of(settings, context) if order is None else order.options
    objects = [animation.target.get() for animation in animations]
    for each in objects:
        keeping.check_can_keep(each, keep)
    first = animations[0]
    moved = kept_note.moved_since(objects[0], first.matrix)

    def pins(reading: JointReading):
        return object_pins.pins_of([member.target.get() for member in reading.members], reading.shares)

    return Order(
        obj=objects[0],
        others=tuple(objects[1:]),
        video=first.video,
        options=options,
        where=preferences.connection(),
        start=first.timing.start,
        fps=first.fps,
        when_done=None if bpy.app.background else keeper(keep, False, False),
        correction=Correction(animations, pins, first.timing, None if moved is None else np.array(moved)),
    )
