"""Waits for work that looks for no cancellation itself, such as imports and the loading of models."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.1

Result = TypeVar("Result")


def waited(work: Callable[[], Result], check: Callable[[], None]) -> Result:
    """What `work` returns or raises, which runs on a thread of its own; check is called ten times a second meanwhile.

    What check raises is passed on at once; the work then goes on to its end, and its outcome is forgotten.
    """
    done = threading.Event()
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="motion324-waited-for", daemon=True).start()
    while not done.wait(POLL_SECONDS):
        check()
    if errors:
        raise errors[0]
    return results[0]
