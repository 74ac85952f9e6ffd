"""Starts a job: in a window it goes on beside the artist's work, in the background this waits for its end."""

from __future__ import annotations

import sys
from typing import Any

import bpy

from motion324.core.errors import Motion324Error

from ..batch.terminal import ProgressLine
from ..job.order import Order, WhenDone
from ..job.runner import runner
from ..scene.playing import keeping
from ..scene.playing.animation import Animation
from ..settings import preferences, properties
from ..settings.source_video import facts_of
from ..ui.outcome import outcome_of
from ..ui.window import is_background
from .polling import has_mesh, mesh_objects
from .reporting import report_error

KEEP = (
    ("NONE", "Ask", "The result waits as a preview"),
    (keeping.SHAPE_KEYS, "Shape Keys", "The result becomes shape keys"),
    (keeping.POINT_CACHE, "Point Cache", "The result becomes a point cache"),
)


class MOTION324_OT_animate(properties.JobProperties, bpy.types.Operator):
    """Animate the selected mesh after the video; several are animated as one. While another job runs, this one waits \
for it. Not given arguments are taken from the scene's settings"""

    bl_idname = "motion324.animate"
    bl_label = "Animate from Video"

    keep: bpy.props.EnumProperty(name="Keep", description="What becomes of the result", items=KEEP)
    single_user: bpy.props.BoolProperty(
        name="Make Single User",
        description="For shape keys: give objects that share their mesh a copy of their own",
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
                _keep_now(runner.animations_of(runner.state.number), keep, self.single_user)
                return {"FINISHED"}
            ahead = len(runner.queue) + 1 if runner.state.busy else 0
            runner.start(order)
            if ahead:
                self.report({"INFO"}, f"'{order.name}' waits for {ahead} other job{'s' if ahead > 1 else ''}")
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}

    def _order(self, context: bpy.types.Context, chosen: Any, keep: str) -> Order:
        objects = mesh_objects(context)[: 1 if self.only_active else None]
        for obj in objects:
            keeping.check_can_keep(obj, keep, self.single_user)
        options = properties.options_of(chosen)
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
            when_done=None if bpy.app.background else _keeper(keep, self.single_user),
        )


def _keep_now(animations: tuple[Animation, ...], keep: str, single_user: bool) -> None:
    if keep == keeping.SHAPE_KEYS:
        for _ in keeping.keep_all_as_shape_keys(animations, single_user):
            pass
    elif keep == keeping.POINT_CACHE:
        for _ in keeping.keep_all_as_point_caches(animations, keeping.point_cache_paths(animations)):
            pass
    if keep != "NONE":
        runner.kept(animations)


def _keeper(keep: str, single_user: bool) -> WhenDone | None:
    """Keeps the result by the operator that the button calls, so that it is a step of its own for undo."""
    names = {keeping.SHAPE_KEYS: "keep_shape_keys", keeping.POINT_CACHE: "keep_point_cache"}
    if keep not in names:
        return None

    def when_done(number: int) -> None:
        operator = getattr(bpy.ops.motion324, names[keep])
        more = {"single_user": single_user} if keep == keeping.SHAPE_KEYS else {}
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            operator("INVOKE_DEFAULT", True, job=number, **more)

    return when_done
