"""Work that looks for no cancellation itself is waited for with one that does."""

from __future__ import annotations

import threading
import time

import pytest

from motion324.core.errors import Cancelled
from motion324.core.interruption import waited


def test_what_the_work_returns_or_raises_comes_back():
    assert waited(lambda: 7, lambda: None) == 7
    with pytest.raises(ZeroDivisionError):
        waited(lambda: 1 // 0, lambda: None)


def test_a_cancel_does_not_wait_for_the_work():
    ended = threading.Event()

    def check() -> None:
        raise Cancelled

    began = time.monotonic()
    with pytest.raises(Cancelled):
        waited(lambda: ended.wait(10), check)
    assert time.monotonic() - began < 0.5
    ended.set()
