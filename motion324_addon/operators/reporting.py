"""How operators tell errors, and how they do long work in small steps."""

from __future__ import annotations

import time
from collections.abc import Iterator

import bpy

from motion324.core.errors import Motion324Error

TICK = 0.01  # seconds between two steps, which the interface has for itself
BUDGET = 0.03  # seconds of work per step


def report_error(operator: bpy.types.Operator, error: Motion324Error) -> set[str]:
    """Shows the sentence; in a Python call it becomes a RuntimeError."""
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}


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
            self.report({"INFO"}, f"{self.doing}: stopped, nothing was changed")
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
                    context.workspace.status_text_set(f"{self.doing}: {done} of {total}   |   Esc: stop")
                    return None
            self.finished(context)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}

    def _clean(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)
