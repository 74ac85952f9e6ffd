"""Works items off in several processes of this machine: one that dies takes only its own item with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Self

from motion324.batches.executor import Beat, Ended, Lost, Running, Task, Workplace
from motion324.core.errors import Cancelled
from motion324.core.processes.interruption import Interruption
from motion324.core.processes.parent_watch import end_with_parent

PATIENCE = 3.0  # seconds that a process gets to clean up before it is killed
OFTEN = 0.25  # seconds between two reports of a worker


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    state: Running | None = None


class Processes:
    """An Executor; see there. Processes are started as they are needed, `count` at most."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._node = socket.gethostname()
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            if kind is None and worker.state is None:
                with contextlib.suppress(OSError):
                    worker.connection.send(None)
            else:
                worker.process.terminate()
        until = time.monotonic() + PATIENCE
        for worker in self._workers:
            self._end(worker, max(0.0, until - time.monotonic()))
        self._workers.clear()

    def has_room(self, task: Task) -> bool:
        return len(self._workers) < self._count or any(worker.state is None for worker in self._workers)

    def start(self, key: int, task: Task) -> None:
        idle = next((worker for worker in self._workers if worker.state is None), None)
        if idle is None:
            idle = self._started()
            self._workers.append(idle)
        idle.state = Running(key, task.name, self._node)
        # One that has died since its last item: told by `wait`.
        with contextlib.suppress(OSError):
            idle.connection.send((key, task))

    def wait(self, seconds: float, beat: Beat) -> list[Ended | Lost]:
        busy = {id(worker.connection): worker for worker in self._workers if worker.state}
        if not busy:
            time.sleep(seconds)
            return []
        events: list[Ended | Lost] = []
        for connection in wait([worker.connection for worker in busy.values()], timeout=seconds):
            worker = busy[id(connection)]
            state = worker.state
            assert state is not None
            try:
                kind, *told = worker.connection.recv()
            except (EOFError, OSError):
                self._workers.remove(worker)
                self._end(worker, PATIENCE)
                events.append(Lost(state.key, _how_it_ended(worker.process.exitcode), self._node))
                continue
            if kind == "progress":
                state.stage, state.done, state.total = told
            else:
                worker.state = None
                events.append(Ended(state.key, told[0], self._node))
        return events

    def running(self) -> list[Running]:
        return [worker.state for worker in self._workers if worker.state]

    def workers(self) -> dict[str, int]:
        return {self._node: self._count}

    def _started(self) -> _Worker:
        threads = max(1, (os.cpu_count() or 1) // self._count)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, threads), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _end(self, worker: _Worker, patience: float) -> None:
        worker.process.join(patience)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.connection.close()


def work(connection: Connection, threads: int) -> None:
    """Is one of the processes: takes tasks until None comes or the other end is gone, and answers each."""
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):  # before anything loads numba or OpenMP
        os.environ.setdefault(name, str(threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which then ends us by SIGTERM
    end_with_parent(os.getppid())
    workplace = Workplace()
    with Interruption() as told, contextlib.suppress(KeyboardInterrupt, Cancelled, EOFError, BrokenPipeError):
        try:
            while (given := connection.recv()) is not None:
                _, task = given
                answer = task.run(workplace, _Reports(connection, told))
                told.look()
                connection.send(("ended", answer))
        finally:
            workplace.close()


class _Reports:
    """A Progress that tells the parent, now and then."""

    def __init__(self, connection: Connection, told: Interruption) -> None:
        self._connection, self._told, self._said = connection, told, -OFTEN

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._told.look()
        now = time.monotonic()
        if now - self._said >= OFTEN:
            self._said = now
            self._connection.send(("progress", stage, done, total))


def _how_it_ended(code: int | None) -> str:
    how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
    hint = " (out of memory, most likely)" if code == -9 else ""
    return f"Its process ended {how}{hint}."
