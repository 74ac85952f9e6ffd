"""Begins work on a thread of its own whose result is wanted later, and waits for what other threads do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import Any, TypeVar

from motion324.core.errors import Cancelled

_POLL_SECONDS = 0.1

Result = TypeVar("Result")


def wait_for(futures: Sequence[Future[Any]], check: Callable[[], object]) -> None:
    """Until all are done; check is called ten times a second meanwhile. Raises what check does, or one that failed."""
    while not all(future.done() for future in futures):
        check()
        wait(futures, _POLL_SECONDS)
        for future in futures:
            if future.done():
                future.result()


@contextmanager
def begun(
    work: Callable[[Callable[[], None]], Result],
) -> Iterator[Callable[[Callable[[], None]], Result]]:
    """work(check) runs within the context -> what waits for its result, and raises what the work raises.

    check(): to be called often by the work; raises Cancelled where that has to end, as when the context is left before
    the work is done. What waits is given a function that is called ten times a second meanwhile, and may raise.
    """
    stopped = Event()

    def check() -> None:
        if stopped.is_set():
            raise Cancelled

    pool = ThreadPoolExecutor(1, thread_name_prefix="motion324-begun")
    future = pool.submit(work, check)

    def result(tell: Callable[[], None]) -> Result:
        wait_for([future], tell)
        return future.result()

    try:
        yield result
    finally:
        stopped.set()
        pool.shutdown()
