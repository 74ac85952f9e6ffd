"""Has what operators share: why a button is grey, how errors are told, and how long work is done in small steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

from motion324.core.errors import Motion324Error
from motion324.core.inside_blender.operator_words import said_by_operator

from ..job.runner import runner
from ..scene.playing import takes
from ..ui.own_language import in_own_language
from ..ui.phrases import phrase
from ..ui.readiness import reason_against_object

TICK = 0.01  # seconds between two steps, which the interface has for itself
BUDGET = 0.03  # seconds of work per step


def has_mesh(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether a mesh object is active; else the operator's tooltip says so."""
    if context.object is None or context.object.type != "MESH":
        operator.poll_message_set("Select a mesh object")
        return False
    return True


def has_usable_mesh(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether the active object is a mesh that can be read now; else the operator's tooltip says why not."""
    reason = reason_against_object(context)
    if reason:
        operator.poll_message_set(reason)
    return not reason


def has_result(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether a result waits to be kept, or can be kept in another way; else the operator's tooltip says so."""
    if not runner.animations and takes.shown_take(context.object) is None:
        operator.poll_message_set("There is no result to keep")
        return False
    return True


def report_error(operator: bpy.types.Operator, error: Motion324Error) -> set[str]:
    """Shows the sentence; in a Python call it becomes a RuntimeError."""
    operator.report({"ERROR"}, in_own_language(str(error)))
    return {"CANCELLED"}


def passed_on(operator: bpy.types.Operator, call: Callable[[], set[str]]) -> set[str]:
    """What another operator returns that this one calls. What that reports as an error becomes this one's report:
    Blender would show where in the code it was raised."""
    try:
        return call()
    except RuntimeError as error:
        operator.report({"ERROR"}, f"{said_by_operator(error)}.")
        return {"CANCELLED"}


def propose_name(operator: bpy.types.Operator, obj: bpy.types.Object, ending: str) -> None:
    """Has the operator's file dialog propose OBJECT + `ending`, unless the caller has given it a path.

    Never OBJECT alone: that is often the video's name, after which a new mesh is named. What is left of its last
    use is perhaps another object's path; only its folder is proposed again.
    """
    if operator.properties.is_property_set("filepath"):  # False for what is left of the last use
        return
    before = Path(operator.filepath) if operator.filepath else None
    name = bpy.path.clean_name(obj.name) + ending
    operator.filepath = str(before.parent / name) if before else name


class SteppedOperator:
    """A mixin for operators whose work is a generator that yields (done, total).

    `steps(context)` begins the work; `finished(context)` follows its end. In a window the work goes on in ticks of
    BUDGET seconds and Esc stops it, in the background it is done at once.
    """

    doing = ""

    def run(self, context: bpy.types.Context) -> set[str]:
        self._work: Iterator[tuple[int, int]] = self.steps(context)
        self._ended: set[str] | None = None
        if bpy.app.background or context.window is None:
            return self._until(context, float("inf")) or {"FINISHED"}
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.progress_begin(0, 1)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and self._ended is None:
            self._work.close()
            self._clean(context)
            self.report({"INFO"}, phrase("{work}: stopped, nothing was changed", work=phrase(self.doing)))
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}  # nothing else may change the scene in between
        if self._ended is None:
            self._ended = self._until(context, time.monotonic() + BUDGET)
            return {"RUNNING_MODAL"}  # Blender's undo step, which follows the end, has a tick of its own
        self._clean(context)
        return self._ended

    def _until(self, context: bpy.types.Context, deadline: float) -> set[str] | None:
        try:
            for done, total in self._work:
                if time.monotonic() >= deadline:
                    context.window_manager.progress_update(done / total)
                    told = phrase(
                        "{work}: {done} of {total}   |   Esc: stop", work=phrase(self.doing), done=done, total=total
                    )
                    context.workspace.status_text_set(told)
                    return None
            self.finished(context)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}

    def _clean(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)
