"""Tells in Blender's status bar how far a job is, also while its tab is closed, and reports how it ended."""

from __future__ import annotations

import time

import bpy

from ..job.runner import runner
from ..job.state import ENDED, JobState, Phase
from ..runner_base.state import duration, stage_label
from .choices import with_names_only
from .own_language import in_own_language
from .phrases import phrase

TICK = 1.0  # seconds between two looks
AT_ONCE = 0.01  # seconds
SHOWN_FOR = 10.0  # seconds, which are a little more than Blender shows its banner for
_seen: dict[int, Phase] = {}  # the phases of the jobs at the last look, by their numbers
_banner_until = 0.0  # on the monotonic clock: Blender's banner of a report shows where the status bar is drawn again
_drawn = False  # whether the status bar shows something of ours


def told(job: JobState, now: float) -> str:
    """One line of a job that runs."""
    if job.phase is Phase.QUEUED:
        return phrase("{name}: behind other jobs", name=job.object_name)
    done = f" {job.fraction:.0%}" if job.fraction is not None else ""
    left = job.remaining_total
    rest = phrase("{time} left", time=duration(left)) if left else duration(job.seconds(now))
    return f"{job.object_name}: {phrase(stage_label(job.stage))}{done}, {rest}"


def ending(job: JobState) -> tuple[str, str] | None:
    """The kind of a report (bpy.types.Operator.report) and its sentence, for a job that has ended; None for one that
    somebody has stopped."""
    if job.phase is Phase.DONE:
        took = duration(job.seconds(0.0))
        return "INFO", phrase(
            "'{name}' was animated in {time}: {count} frames wait", name=job.object_name, time=took, count=job.frames
        )
    if job.problem is not None:
        why = in_own_language(with_names_only(job.problem.sentence))
        return "WARNING", phrase("'{name}' was not animated: {why}", name=job.object_name, why=why)
    return None


def ended_since(seen: dict[int, Phase], jobs: tuple[JobState, ...]) -> list[JobState]:
    """Those that had not ended in `seen`."""
    return [job for job in jobs if job.phase in ENDED and job.number in seen and seen[job.number] not in ENDED]


def _draw(self: bpy.types.Header, context: bpy.types.Context) -> None:
    job = runner.state
    if job.busy:
        row = self.layout.row(align=True)
        row.label(text=told(job, time.monotonic()), icon="ARMATURE_DATA", translate=False)


def _look() -> float:
    global _drawn, _banner_until
    jobs, now = runner.jobs.jobs, time.monotonic()
    for job in ended_since(_seen, jobs):
        message = ending(job)
        if message is not None:
            _banner_until = now + SHOWN_FOR
            _report(*message)
    _seen.clear()
    _seen.update({job.number: job.phase for job in jobs})
    shows = runner.state.busy or now < _banner_until
    if shows or _drawn:
        _drawn = shows
        _redraw()
    return TICK


def _redraw() -> None:
    """Blender draws the status bar of the context's window again when its text is set; nobody's text is taken away by
    that, since modal operators, whose it is, draw it themselves."""
    for window in bpy.context.window_manager.windows:
        if not len(getattr(window, "modal_operators", ())):
            with bpy.context.temp_override(window=window):
                window.workspace.status_text_set_internal(None)


def _report(kind: str, sentence: str) -> None:
    windows = bpy.context.window_manager.windows
    if windows:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.motion324.report("INVOKE_DEFAULT", kind=kind, sentence=sentence)


class MOTION324_OT_report(bpy.types.Operator):
    """Tell how a job ended, in the status bar and in the Info editor"""

    # What an operator reports that Python calls goes to the terminal only, unless it is modal, so that Blender ends it.

    bl_idname = "motion324.report"
    bl_label = "Report"
    bl_options = {"INTERNAL"}

    kind: bpy.props.StringProperty(name="Kind", description="As Blender has it", options={"SKIP_SAVE", "HIDDEN"})
    sentence: bpy.props.StringProperty(name="Sentence", description="For people", options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._timer = context.window_manager.event_timer_add(AT_ONCE, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        self.report({self.kind or "INFO"}, self.sentence)
        return {"FINISHED"}


def register() -> None:
    bpy.utils.register_class(MOTION324_OT_report)
    bpy.types.STATUSBAR_HT_header.append(_draw)
    if not bpy.app.background:
        bpy.app.timers.register(_look, first_interval=TICK, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    bpy.types.STATUSBAR_HT_header.remove(_draw)
    bpy.utils.unregister_class(MOTION324_OT_report)
    _seen.clear()
