"""Has the operators that choose a video, animate after it, and do what can be done with jobs that run, wait or
failed.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from motion324.core.errors import Motion324Error

from ..batch.blocking import ProgressLine
from ..examining import looks
from ..job import keeping_bones
from ..job.records import Order, WhenDone
from ..job.rig_request import waited_for
from ..job.runner import runner
from ..job.state import JobState
from ..runner_base.runner import is_background
from ..scene.playing import keeping
from ..scene.playing.animation import Animation
from ..settings import preferences, properties, rig_settings
from ..settings.source_video import facts_of
from ..ui.phrases import phrase
from ..ui.readiness import mesh_objects, outcome_of
from .reporting import has_mesh, report_error


class MOTION324_OT_pick_video(bpy.types.Operator, ImportHelper):
    """Choose the video of the thing that the mesh shows; a picture stands for all of its folder"""

    bl_idname = "motion324.pick_video"
    bl_label = "Choose Video"
    bl_options = {"UNDO"}

    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        is_picture = path.suffix.lower() in bpy.path.extensions_image
        context.scene.motion324.video = str(path.parent if is_picture else path)
        return {"FINISHED"}


KEEP = (
    ("NONE", "Ask", "The result waits as a preview"),
    (keeping.SHAPE_KEYS, "Shape Keys", "The result becomes shape keys"),
    (keeping.POINT_CACHE, "Point Cache", "The result becomes a point cache"),
    (keeping.ARMATURE, "Armature", "The result becomes keyframes on the bones of the object's own armature"),
    (keeping.RIG, "Rig", "The result becomes a rig that is made from the motion, with keyframes on its bones"),
)


class MOTION324_OT_animate(properties.JobProperties, bpy.types.Operator):
    """Animate the selected mesh after the video; several are animated as one. While another job runs, this one waits \
for it"""

    bl_idname = "motion324.animate"
    bl_label = "Animate from Video"

    keep: bpy.props.EnumProperty(name="Keep", description="What becomes of the result", items=KEEP)
    single_user: bpy.props.BoolProperty(
        name="Make Single User",
        description="For shape keys: give objects that share their mesh a copy of their own",
        options={"SKIP_SAVE"},
    )
    own_pose: bpy.props.BoolProperty(
        name="Own Pose Before",
        description="Where the result begins with another pose than the mesh's own: keep its own at the frame before",
        options={"SKIP_SAVE"},
    )
    only_active: bpy.props.BoolProperty(
        name="Only Active", description="Leave out the other selected objects", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_mesh(cls, context):
            return False
        if context.object.mode == "EDIT":
            cls.poll_message_set("Leave Edit Mode first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self._run(context, properties.shown_of(context.scene.motion324), keep="NONE")

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._run(context, properties.chosen_of(self, context.scene.motion324), self.keep)

    def _run(self, context: bpy.types.Context, chosen: Any, keep: str) -> set[str]:
        try:
            order = self._order(context, chosen, keep)
            if bpy.app.background:
                with ProgressLine(sys.stderr) as line:
                    runner.run_blocking(order, line.show)
                keep_now(runner.animations_of(runner.state.number), keep, self.single_user, self.own_pose)
                return {"FINISHED"}
            ahead = len(runner.queue) + 1 if runner.state.busy else 0
            runner.start(order)
            if ahead:
                others = phrase("'{name}' waits for {count} other jobs", name=order.name, count=ahead)
                self.report(
                    {"INFO"}, others if ahead > 1 else phrase("'{name}' waits for another job", name=order.name)
                )
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}

    def _order(self, context: bpy.types.Context, chosen: Any, keep: str) -> Order:
        objects = mesh_objects(context)[: 1 if self.only_active else None]
        for obj in objects:
            keeping.check_can_keep(obj, keep, self.single_user)
            keeping_bones.check_can_keep(keep, obj, rig_settings.of_scene(context.scene))
        options = properties.options_of(chosen)
        if options.view == "auto":
            options = dataclasses.replace(options, view=looks.angles_found(chosen, objects[0]) or "auto")
        facts = None if is_background() else facts_of(chosen.video)  # which a timer finds out
        outcome = outcome_of(chosen, facts, context.scene) if facts and facts.frames else None
        return Order(
            obj=objects[0],
            others=tuple(objects[1:]),
            video=properties.video_of(chosen),
            options=options,
            where=preferences.connection(),
            start=chosen.start_frame,
            mode=chosen.timing,
            frames=outcome.frames or None if outcome else None,
            pixels=facts.size[0] * facts.size[1] or None if facts else None,
            fps=outcome.fps if outcome else options.fps,
            when_done=None if bpy.app.background else keeper(keep, self.single_user, self.own_pose),
        )


def keep_now(animations: tuple[Animation, ...], keep: str, single_user: bool, own_pose: bool) -> None:
    kept = [animation.from_own_pose() if own_pose else animation for animation in animations]
    if keep == keeping.SHAPE_KEYS:
        for _ in keeping.keep_all_as_shape_keys(kept, single_user):
            pass
    elif keep == keeping.POINT_CACHE:
        for _ in keeping.keep_all_as_point_caches(kept, keeping.point_cache_paths(kept)):
            pass
    elif keep in keeping.BONES:
        settings = rig_settings.of_scene(bpy.context.scene)
        wish = keeping_bones.Wish(keep, settings, preferences.connection())
        kept = waited_for(keeping_bones.keep(animations, wish))
        print(kept.said, *kept.warnings, sep="\n", file=sys.stderr)
    if keep != "NONE":
        runner.kept(animations)


def keeper(keep: str, single_user: bool, own_pose: bool) -> WhenDone | None:
    """Keeps the result by the operator that the button calls, so that it is a step of its own for undo."""
    names = {
        keeping.SHAPE_KEYS: "keep_shape_keys",
        keeping.POINT_CACHE: "keep_point_cache",
        keeping.ARMATURE: "keep_armature",
        keeping.RIG: "keep_rig",
    }
    if keep not in names:
        return None

    def when_done(number: int) -> None:
        operator = getattr(bpy.ops.motion324, names[keep])
        more = {"single_user": single_user} if keep == keeping.SHAPE_KEYS else {}
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            operator("INVOKE_DEFAULT", True, job=number, own_pose=own_pose, **more)

    return when_done


class MOTION324_OT_cancel(bpy.types.Operator):
    """Stop the animation that runs; the scene stays as it was, and the next job that waits starts"""

    bl_idname = "motion324.cancel"
    bl_label = "Cancel Animating"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runner.state.busy:
            cls.poll_message_set("Nothing is being animated")
        return runner.state.busy

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.cancel()
        return {"FINISHED"}


class MOTION324_OT_unqueue(bpy.types.Operator):
    """Take the job out of the queue, before it has begun"""

    bl_idname = "motion324.unqueue"
    bl_label = "Remove from Queue"

    index: bpy.props.IntProperty(name="Place", description="In the queue; 0 comes next", min=0)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runner.queue:
            cls.poll_message_set("No job waits")
        return bool(runner.queue)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            runner.unqueue(self.index)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class OfFailedJob:
    """A mixin for what is done with a job that failed."""

    job: bpy.props.IntProperty(
        name="Job", description="Its number; 0 takes the one that failed last", min=0, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runner.failures:
            cls.poll_message_set("No job has failed")
        return bool(runner.failures)

    def number(self) -> int:
        """The wished one's, or that of the one that failed last."""
        return self.job or max(runner.failures, key=lambda job: job.ended).number


class MOTION324_OT_restart(OfFailedJob, bpy.types.Operator):
    """Start the same job again: the same mesh, video and options, with a new engine where that has ended"""

    bl_idname = "motion324.restart"
    bl_label = "Restart Job"

    def execute(self, context: bpy.types.Context) -> set[str]:
        number = self.number()
        if not any(job.number == number for job in runner.failures):
            self.report({"ERROR"}, phrase("No job {number} has failed.", number=number))
            return {"CANCELLED"}
        runner.restart(number)
        return {"FINISHED"}


class MOTION324_OT_open_log(bpy.types.Operator):
    """Open the engine's log, with the details of the error"""

    bl_idname = "motion324.open_log"
    bl_label = "Open Engine Log"

    job: bpy.props.IntProperty(
        name="Job", description="Its number; 0 takes the one that failed last", min=0, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(_has_log(job) for job in runner.failures):
            cls.poll_message_set("There is no log")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        told = [job for job in runner.failures if _has_log(job) and self.job in (0, job.number)]
        if not told:
            self.report({"ERROR"}, phrase("Job {number} has no log.", number=self.job))
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=max(told, key=lambda job: job.ended).problem.log_path)
        return {"FINISHED"}


def _has_log(job: JobState) -> bool:
    return bool(job.problem and job.problem.log_path and Path(job.problem.log_path).exists())
