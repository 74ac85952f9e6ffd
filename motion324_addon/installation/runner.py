"""Carries out the effects of a task: starts its worker, brings its events to Blender's main thread.

In a window a timer drains the events; in `blender -b`, where timers do not run, `run_blocking` does."""

from __future__ import annotations

import atexit
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_USAGE, Cancelled, Motion324Error

from ..job import storage
from ..job.backend_location import Local, Where
from ..running.window import is_background
from . import plan
from .packages import Source
from .place import EXTENSION, Place
from .plan import Wishes
from .state import (
    CancelAsked,
    ChoiceChanged,
    Dismissed,
    Effect,
    Event,
    InstallationState,
    Looked,
    MachineSeen,
    Started,
    Task,
)
from .transitions import advance
from .worker import Work, Worker, condition_of

TICK = 0.1  # seconds between two looks at the events
LOOK_SECONDS = 1.0  # between two looks at the disk
REDRAWN_AREAS = {"VIEW_3D", "PREFERENCES"}


@dataclass(frozen=True)
class Order:
    """What the user asked for. where: the backend to check; None is the one installed here."""

    task: Task
    source: Source = field(default_factory=Source)
    wishes: Wishes = field(default_factory=Wishes)
    where: Where | None = None


class Runner:
    """The one task of this Blender. Everything but the worker's `post` is called on the main thread."""

    def __init__(self, extension: Path = EXTENSION) -> None:
        self.state = InstallationState()
        self._extension = extension
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._worker: Worker | None = None
        self._order: Order | None = None
        self._looked_at = float("-inf")
        self._looking = False  # at the machine
        self._timer = self._tick  # Blender knows a timer by its object, and `self._tick` is a new one each time

    @property
    def place(self) -> Place:
        return Place(storage.user_folder())

    def look(self) -> InstallationState:
        """The state, with what lies on the disk now; may be called whenever a panel is drawn."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS and not self.state.busy:
            self._looked_at = now
            self._dispatch(Looked(condition_of(self.place, self._extension)))
        return self.state

    def look_at_machine(self) -> None:
        """Asks the driver for a GPU on a thread of its own, so that the first run can say what will be installed.

        `state.machine` is None until it has answered; may be called whenever a panel is drawn.
        """
        if self._looking or self.state.machine is not None:
            return
        folder = self.place.folder

        def work() -> None:
            self._events.put(MachineSeen(plan.look(folder)))

        self._looking = True
        threading.Thread(target=work, name="motion324 machine", daemon=True).start()
        self._start_timer()

    def start(self, order: Order) -> None:
        """Begins the task; `state` tells how it goes. Raises Motion324Error("installation-running")."""
        self._prepare(order)
        self._dispatch(Started(order.task, time.monotonic()))
        self._start_timer()

    def run_blocking(self, order: Order, watch: Callable[[InstallationState], None]) -> InstallationState:
        """Does the task to its end. watch(state) is called after each event, and twice a second.

        Raises the Motion324Error that ended it; an exception of `watch`, or Ctrl-C, cancels it.
        """
        self._prepare(order)
        self._dispatch(Started(order.task, time.monotonic()))
        try:
            while self.state.busy:
                with contextlib.suppress(queue.Empty):
                    self._dispatch(self._events.get(timeout=0.5))
                if self.state.busy:
                    watch(self.state)
        except BaseException:
            self.cancel_and_wait()
            raise
        if self.state.problem is not None:
            raise self.state.problem.to_error()
        if self.state.task is not None:
            raise Cancelled()
        return self.state

    def cancel(self) -> None:
        self._dispatch(CancelAsked())

    def cancel_and_wait(self, seconds: float = 10.0) -> None:
        """Cancels, and returns when the task has ended or the time is over."""
        self.cancel()
        deadline = time.monotonic() + seconds
        while self.state.busy and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                self._dispatch(self._events.get(timeout=0.1))

    def dismiss(self) -> None:
        """Takes the message of a failed or cancelled task away."""
        self._dispatch(Dismissed())

    def forget_check(self) -> None:
        """To be called when another backend is chosen: what was found about the last one is of no interest any more."""
        self._dispatch(ChoiceChanged())

    def abandon(self) -> None:
        """To be called when the add-on or Python ends: stops the worker with its programs."""
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)
        if self._worker is not None:
            self._worker.stop()
            self._worker.join()

    def _prepare(self, order: Order) -> None:
        if self.state.busy:
            doing = f"The backend's {self.state.task.value} runs."
            raise Motion324Error("installation-running", doing, "Wait until it is done, or cancel it.", EXIT_USAGE)
        self._order = order

    def _start_timer(self) -> None:
        if not bpy.app.background and not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=TICK, persistent=True)

    def _tick(self) -> float | None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._dispatch(self._events.get_nowait())
        if self.state.busy:
            redraw()  # the elapsed time goes on
        self._looking = self._looking and self.state.machine is None
        return TICK if self.state.busy or self._looking else None

    def _dispatch(self, event: Event) -> None:
        self.state, effects = advance(self.state, event)
        for effect in effects:
            if effect is Effect.START_WORK:
                self._start_work()
            elif effect is Effect.STOP_WORK:
                self._worker.stop()
            elif effect is Effect.REDRAW:
                redraw()

    def _start_work(self) -> None:
        place, order = self.place, self._order
        work = Work(
            number=self.state.number,
            task=order.task,
            place=place,
            extension=self._extension,
            source=order.source,
            wishes=order.wishes,
            where=order.where or Local(place.python),
            blender=Path(bpy.app.binary_path),
        )
        self._worker = Worker(work, self._events.put)
        self._worker.start()


def redraw() -> None:
    """Has everything drawn again that shows the installation."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in REDRAWN_AREAS:
                area.tag_redraw()


runner = Runner()


FIRST_LOOK_SECONDS = 1.0  # after the start, when Blender's window stands


def _look() -> None:
    """Where something is to be installed, the panel wants to say how large that will be."""
    if not runner.look().ready:
        runner.look_at_machine()


def register() -> None:
    if not is_background():
        bpy.app.timers.register(_look, first_interval=FIRST_LOOK_SECONDS, persistent=True)  # other files may be opened
    atexit.register(runner.abandon)


def unregister() -> None:
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    runner.abandon()
    atexit.unregister(runner.abandon)
