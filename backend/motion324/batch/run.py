"""Animates all items in several processes, by run_batch(): what is done already stays, and what fails does not stop the
rest.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from motion324.batch.items import FAILED, KEPT, BatchItem, Outcome, is_done, log_line, write_summary
from motion324.batch.worker import Task, work
from motion324.core.exclusive_use import Hold
from motion324.core.progress import Progress, silent

LOOK = 0.2  # seconds between two looks for cancellation
PATIENCE = 10.0  # seconds that a process gets to clean up before it is killed
LOG, SUMMARY = "batch.log", "summary.json"

OnOutcome = Callable[[Outcome], None]


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    task: Task


def run_batch(
    items: Sequence[BatchItem],
    folder: Path,
    *,
    workers: int = 1,
    blender: Path | None = None,
    overlay: bool = False,
    progress: Progress = silent,
    on_outcome: OnOutcome | None = None,
) -> list[Outcome]:
    """Animates each item into folder/NAME, beside batch.log (a line an item, over all runs) and summary.json.

    An item whose result is there already, from the same files, options and version, is kept, unless it lacks an
    `overlay` that is wanted. A process that dies takes only its own item with it. -> outcomes in the items' order.
    Raises Motion324Error("cannot-write", "disk-full", "in-use") for the folder itself, Cancelled; the processes are
    ended then.
    """
    with Hold(folder, "output folder"):
        return _run_batch(items, folder, workers, blender, overlay, progress, on_outcome)


def _run_batch(
    items: Sequence[BatchItem],
    folder: Path,
    workers: int,
    blender: Path | None,
    overlay: bool,
    progress: Progress,
    on_outcome: OnOutcome | None,
) -> list[Outcome]:
    outcomes: dict[str, Outcome] = {}

    def tell(outcome: Outcome) -> None:
        outcomes[outcome.name] = outcome
        log_line(folder / LOG, outcome)
        if on_outcome:
            on_outcome(outcome)

    waiting = []
    for item in items:
        if is_done(folder / item.name, item, overlay):
            tell(Outcome(item.name, KEPT))
        else:
            waiting.append(Task(item, folder / item.name, blender, overlay))
    _work_off(waiting, workers, tell, lambda: progress("batch", len(outcomes), len(items)))
    progress("batch", len(items), len(items))
    ordered = [outcomes[item.name] for item in items]
    write_summary(folder / SUMMARY, ordered)
    return ordered


def _work_off(waiting: list[Task], count: int, tell: OnOutcome, look: Callable[[], None]) -> None:
    """look: called several times a second; it may raise to stop everything."""
    threads = max(1, (os.cpu_count() or 1) // count)
    waiting = waiting[::-1]
    busy: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < count:
                busy.append(_started(waiting.pop(), threads))
            look()
            ready = wait([worker.connection for worker in busy], timeout=LOOK)
            for worker in [worker for worker in busy if worker.connection in ready]:
                outcome, alive = _answer(worker)
                tell(outcome)
                if alive and waiting:
                    worker.task = waiting.pop()
                    worker.connection.send(worker.task)
                else:
                    busy.remove(worker)
                    _end(worker, politely=alive)
    finally:
        for worker in busy:
            worker.process.terminate()
        for worker in busy:
            _end(worker, politely=False)


def _started(task: Task, threads: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, threads), daemon=True)
    process.start()
    theirs.close()
    ours.send(task)
    return _Worker(process, ours, task)


def _answer(worker: _Worker) -> tuple[Outcome, bool]:
    """The outcome, and whether the process can take another item."""
    try:
        return worker.connection.recv(), True
    except (EOFError, OSError):
        worker.process.join(PATIENCE)
        code = worker.process.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
        hint = " (out of memory, most likely)" if code == -9 else ""
        sentence = f"Its process ended {how}{hint}."
        return Outcome(worker.task.item.name, FAILED, code="process-ended", sentence=sentence), False


def _end(worker: _Worker, politely: bool) -> None:
    if politely:
        worker.connection.send(None)
    worker.process.join(PATIENCE)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    worker.connection.close()
