"""Begins work on a thread of its own whose result is wanted later, while something else has to be waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from motion324.core.errors import Cancelled

_POLL_SECONDS = 0.1

Result = TypeVar("Result")


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
        while not future.done():
            tell()
            wait([future], _POLL_SECONDS)
        return future.result()

    try:
        yield result
    finally:
        stopped.set()
        pool.shutdown()
