"""Is the base of the three runners, which bring the events of workers to Blender's main thread and change the state.

Blender's window is told of here as well: whether there is one, and having parts of it drawn again.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Iterable
from typing import Any

import bpy

from .history import history
from .worker import Worker

TICK = 0.1  # seconds between two looks at the events
READING_TICK = 0.01  # between two steps of work that is done on the main thread
BUDGET = 0.01  # seconds after which a look takes up nothing more
WAIT = 0.5  # seconds between two looks of somebody who waits


def is_background() -> bool:
    """Whether nobody looks: then no timers run, and frames are not shown before the result."""
    return bpy.app.background


def redraw_sidebars() -> None:
    """Has the sidebars of all 3D views drawn again, but not the scene beside them."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def redraw_areas(*kinds: str) -> None:
    """Has all areas of these kinds drawn again, in all windows."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in kinds:
                area.tag_redraw()


class Runner:
    """Takes events to a pure function that changes the state, and carries out the effects that this asks for.

    In a window a timer drains the events; in `blender -b`, where timers do not run, `_wait_for_end` does. Everything
    but `post` is called on Blender's main thread, and nothing here takes long. A subclass has the state, the function
    (`_advance`), the effects (`_carry_out`) and whose events count (`_is_current`).
    """

    name = ""  # for the history

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[tuple[Worker, Any]] = queue.SimpleQueue()
        self._timer = self._tick  # Blender knows a timer by its object, and `self._tick` is a new one each time

    def post(self, worker: Worker, event: Any) -> None:
        """The workers' way to here. Any thread."""
        self._events.put((worker, event))

    @property
    def _working(self) -> bool:
        """Whether a worker is busy whose end somebody may wait for."""
        raise NotImplementedError

    @property
    def _steps_left(self) -> bool:
        """Whether work on the main thread is left, of which `_take_steps` does a part."""
        return False

    @property
    def _awaits(self) -> bool:
        """Whether the timer has anything to wait for."""
        return self._working or self._steps_left

    def _is_current(self, worker: Worker) -> bool:
        """Whether the worker's events count. One that was stopped may post one more."""
        raise NotImplementedError

    def _advance(self, event: Any) -> Iterable[Any]:
        """Changes the state by the pure function; returns the effects that this asks for."""
        raise NotImplementedError

    def _carry_out(self, effect: Any) -> None:
        raise NotImplementedError

    def _in_words(self) -> str:
        """The state in a few words, for the history: no names of files, no addresses."""
        raise NotImplementedError

    def _give_up(self) -> None:
        """Ends the work, when whoever waited for it has met an exception."""
        raise NotImplementedError

    def _take_steps(self, deadline: float) -> None:
        """Does a part of the work on the main thread, until about that time of the monotonic clock."""

    def _redraw(self) -> None:
        redraw_sidebars()

    def _dispatch(self, event: Any) -> None:
        before = self._in_words()
        effects = tuple(self._advance(event))
        if effects or self._in_words() != before:
            history.note(self.name, event, self._in_words())
        for effect in effects:
            self._carry_out(effect)
        self._settle(effects)

    def _settle(self, effects: tuple[Any, ...]) -> None:
        """Called when the effects of an event were carried out."""
        if not self._awaits:
            self._stop_timer()

    def _take(self, worker: Worker, event: Any) -> None:
        if self._is_current(worker):
            self._dispatch(event)

    def _drain(self, deadline: float) -> None:
        with contextlib.suppress(queue.Empty):
            while time.monotonic() < deadline:
                self._take(*self._events.get_nowait())

    def _wait_for_event(self, seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._take(*self._events.get(timeout=seconds))

    def _wait_for_end(self, watch: Callable[[], None] = lambda: None) -> None:
        """Takes events until the work is done. watch() is called after each, and twice a second at least.

        An exception of `watch`, or Ctrl-C, ends the work and goes on to the caller.
        """
        try:
            while self._working:
                self._wait_for_event(WAIT)
                watch()
        except BaseException:
            self._give_up()
            raise

    def _tick(self) -> float | None:
        deadline = time.monotonic() + BUDGET
        self._drain(deadline)
        self._take_steps(deadline)
        if not self._awaits:
            return None
        self._redraw()  # the elapsed time goes on
        return READING_TICK if self._steps_left else TICK

    def _start_timer(self) -> None:
        if not bpy.app.background and not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=READING_TICK, persistent=True)

    def _stop_timer(self) -> None:
        """A timer that is left over keeps a process from ending that has Blender as a module."""
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)
