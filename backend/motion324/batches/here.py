"""Works items off in this process, one after the other."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Self

from motion324.batches.executor import Beat, Ended, Lost, Running, Task, Workplace
from motion324.core.processes.interruption import look

OFTEN = 0.1  # seconds between two beats


class Here:
    """An Executor; see there."""

    def __init__(self) -> None:
        self._node = socket.gethostname()
        self._workplace = Workplace()
        self._given: tuple[Running, Task] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workplace.close()

    def has_room(self, task: Task) -> bool:
        return self._given is None

    def start(self, key: int, task: Task) -> None:
        self._given = Running(key, task.name, self._node), task

    def wait(self, seconds: float, beat: Beat) -> list[Ended | Lost]:
        """Does the item that was given, however long that takes."""
        if self._given is None:
            time.sleep(seconds)
            return []
        state, task = self._given
        beaten = time.monotonic()

        def progress(stage: str, done: int, total: int) -> None:
            nonlocal beaten
            look()
            state.stage, state.done, state.total = stage, done, total
            if time.monotonic() - beaten >= OFTEN:
                beaten = time.monotonic()
                beat()

        try:
            answer = task.run(self._workplace, progress)
        finally:
            self._given = None
        return [Ended(state.key, answer, self._node)]

    def running(self) -> list[Running]:
        return [self._given[0]] if self._given else []

    def workers(self) -> dict[str, int]:
        return {self._node: 1}
