"""Has the backend key bones: a worker thread asks it, and whoever wants the answer waits for it in steps."""

from __future__ import annotations

import functools
import queue
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import motion324.client
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.rigs.rig import RiggedMotion

from ..runner_base.worker import Worker
from . import backend, storage
from .backend import Where

Last = TypeVar("Last")
PATIENCE = 0.02  # seconds that a step waits for the backend at most


def ask_in_steps(request: motion324.client.RigRequest, where: Where) -> Generator[tuple[int, int], None, RiggedMotion]:
    """Yields (done, total) while the backend works, and returns its answer; closing it cancels the work.

    Raises the Motion324Error that ended it.
    """
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    worker = _RigWorker(request, where, lambda _, event: told.put(event))
    worker.start()
    done = (0, 1)
    try:
        while True:
            yield done
            try:
                event = told.get(timeout=PATIENCE)
            except queue.Empty:
                continue
            if isinstance(event, RiggedMotion):
                return event
            if isinstance(event, Motion324Error):
                raise event
            done = event
    finally:
        worker.stop()


class _RigWorker(Worker):
    """Tells (done, total), and last the RiggedMotion or the Motion324Error."""

    def __init__(self, request: motion324.client.RigRequest, where: Where, post: Callable[[Worker, Any], None]) -> None:
        super().__init__("rig", post)
        self._request = request
        self._where = where
        self._log_path = storage.log_path()
        self._cancel: Callable[[], None] = lambda: None

    def stop(self) -> None:
        super().stop()
        self._cancel()

    def _work(self) -> RiggedMotion:
        client = backend.connect(self._where, self._log_path, self.gives_up)
        self._cancel = functools.partial(client.cancel, self._request.job_id)
        self.check()
        try:
            return client.rig(self._request, self._watch)
        except Cancelled:
            raise
        except Motion324Error as error:
            raise backend.problem_at(self._where, error) from error

    def _watch(self, event: motion324.client.Event) -> None:
        self.check()
        if isinstance(event, motion324.client.ProgressEvent):
            self.tell((event.done, max(event.total, 1)))

    def _ended_by(self, error: Exception) -> Motion324Error:
        if isinstance(error, Motion324Error):
            return error
        sentence = f"Keying bones failed by a defect of the add-on ({type(error).__name__}: {error})."
        return Motion324Error("internal", sentence, "Please report it.")


def waited_for(steps: Generator[tuple[int, int], None, Last]) -> Last:
    """What steps return at their end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
