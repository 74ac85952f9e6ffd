"""Runs installing, checking and removing the backend, and does what is due when the add-on comes and goes."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_USAGE, Cancelled, Motion324Error

from ..job import storage
from ..job.backend import Local, Where
from ..runner_base.runner import WAIT, Runner, is_background, redraw_areas
from ..runner_base.worker import Worker
from .packages import Source
from .place import EXTENSION, Place
from .plan import Wishes
from .state import CancelAsked, ChoiceChanged, Dismissed, Effect, Event, InstallationState, Looked, Started, Task
from .transitions import advance
from .worker import MachineLook, TaskWorker, Work, condition_of

LOOK_SECONDS = 1.0  # between two looks at the disk
FIRST_LOOK_SECONDS = 1.0  # after the start, when Blender's window stands
CANCEL_SECONDS = 10.0  # that a task may take to end
JOIN_SECONDS = 5.0  # that Blender waits for it when it ends itself


@dataclass(frozen=True)
class Order:
    """What the user asked for. where: the backend to check; None is the one installed here."""

    task: Task
    source: Source = field(default_factory=Source)
    wishes: Wishes = field(default_factory=Wishes)
    where: Where | None = None


class TaskRunner(Runner):
    """The one task of this Blender."""

    name = "installation"

    def __init__(self, extension: Path = EXTENSION) -> None:
        super().__init__()
        self.state = InstallationState()
        self._extension = extension
        self._worker: TaskWorker | None = None
        self._machine_look: MachineLook | None = None
        self._order: Order | None = None
        self._looked_at = float("-inf")

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
        if self._machine_look is None and self.state.machine is None:
            self._machine_look = MachineLook(self.place.folder, self.post)
            self._machine_look.start()
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
        self._wait_for_end(lambda: watch(self.state) if self.state.busy else None)
        if self.state.problem is not None:
            raise self.state.problem.to_error()
        if self.state.task is not None:
            raise Cancelled()
        return self.state

    def cancel(self) -> None:
        self._dispatch(CancelAsked())

    def cancel_and_wait(self, seconds: float = CANCEL_SECONDS) -> None:
        """Cancels, and returns when the task has ended or the time is over."""
        self.cancel()
        deadline = time.monotonic() + seconds
        while self.state.busy and time.monotonic() < deadline:
            self._wait_for_event(WAIT)

    def dismiss(self) -> None:
        """Takes the message of a failed or cancelled task away."""
        self._dispatch(Dismissed())

    def forget_check(self) -> None:
        """To be called when another backend is chosen: what was found about the last one is of no interest any more."""
        self._dispatch(ChoiceChanged())

    def abandon(self) -> None:
        """To be called when the add-on or Python ends: stops the worker with its programs."""
        self._stop_timer()
        if self._worker is not None:
            self._worker.stop()
            self._worker.join(JOIN_SECONDS)

    def _prepare(self, order: Order) -> None:
        if self.state.busy:
            doing = f"The backend's {self.state.task.value} runs."
            raise Motion324Error("installation-running", doing, "Wait until it is done, or cancel it.", EXIT_USAGE)
        self._order = order

    @property
    def _working(self) -> bool:
        return self.state.busy

    @property
    def _awaits(self) -> bool:
        return self._working or (self._machine_look is not None and self.state.machine is None)

    def _is_current(self, worker: Worker) -> bool:
        return worker in (self._worker, self._machine_look)

    def _advance(self, event: Event) -> tuple[Effect, ...]:
        self.state, effects = advance(self.state, event)
        return effects

    def _carry_out(self, effect: Effect) -> None:
        if effect is Effect.START_WORK:
            self._start_work()
        elif effect is Effect.STOP_WORK:
            self._worker.stop()
        else:
            self._redraw()

    def _redraw(self) -> None:
        redraw_areas("VIEW_3D", "PREFERENCES")

    def _in_words(self) -> str:
        state = self.state
        doing = (state.task.value if state.task else "", state.stage, state.problem.code if state.problem else "")
        return ", ".join(each for each in (state.phase.value, *doing, state.condition.value) if each)

    def _give_up(self) -> None:
        self.cancel_and_wait()

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
        self._worker = TaskWorker(work, self.post)
        self._worker.start()


runner = TaskRunner()


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
