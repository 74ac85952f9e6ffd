"""Does the same work on many frames on all cores: OpenCV, numpy and onnxruntime let go of Python."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from motion324.core.processes.machine import processor_count

_POLL_SECONDS = 0.1


def side_by_side(
    count: int, work: Callable[[int], None], tell: Callable[[int], None], workers: int | None = None
) -> None:
    """work(0) ... work(count - 1) on as many threads as there are cores, or `workers`; begun in that order.

    tell(done): called ten times a second on this thread, at first with 0 and at last with `count`. What it raises, or
    the work, ends the work and passes.
    """
    tell(0)
    workers = workers or max(1, processor_count())
    pool = ThreadPoolExecutor(workers, thread_name_prefix="motion324-frames")
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
        pool.shutdown(cancel_futures=True)
