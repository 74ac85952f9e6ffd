"""Does the same work on many frames on all cores: OpenCV, numpy and onnxruntime let go of Python.

The threads are kept: to start one takes longest where others are busy, and a job asks for them a hundred times.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from motion324.core.processes.machine import processor_count

_POLL_SECONDS = 0.1

_lock = threading.Lock()
_kept: ThreadPoolExecutor | None = None
_of_thread = threading.local()


def side_by_side(
    count: int, work: Callable[[int], None], tell: Callable[[int], None], workers: int | None = None
) -> None:
    """work(0) ... work(count - 1) on as many threads as there are cores, or `workers`; begun in that order.

    tell(done): called ten times a second on this thread, at first with 0 and at last with `count`. What it raises, or
    the work, ends the work and passes.
    """
    tell(0)
    # Work that itself does something side by side would wait for threads that all wait.
    own = workers is not None or getattr(_of_thread, "is_kept", False)
    workers = workers or max(1, processor_count())
    pool = ThreadPoolExecutor(workers, thread_name_prefix="motion324-frames") if own else _kept_threads(workers)
    running: deque[Future[None]] = deque()
    done = started = 0
    try:
        while done < count:
            while started < count and len(running) < 2 * workers:
                running.append(pool.submit(work, started))
                started += 1
            wait([running[0]], timeout=_POLL_SECONDS)
            while running and running[0].done():
                running.popleft().result()
                done += 1
            tell(done)
    finally:
        wait([future for future in running if not future.cancel()])
        if own:
            pool.shutdown()


def _kept_threads(workers: int) -> ThreadPoolExecutor:
    global _kept
    with _lock:
        if _kept is None:
            _kept = ThreadPoolExecutor(workers, "motion324-frames", initializer=_mark)
        return _kept


def _mark() -> None:
    _of_thread.is_kept = True


def _forget() -> None:
    """In a child that this process has forked, which has none of its threads."""
    global _kept, _lock
    _kept, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
