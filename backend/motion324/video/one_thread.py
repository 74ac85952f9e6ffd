"""Has OpenCV and BLAS compute by one thread each, for those who do as much side by side as there are cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Their own threads would only wait for each other. Beside another busy process a Cholesky factorisation took two
    of BLAS's 57 to 120 ms that takes one thread 3 to 10, and half of what looking for cuts took was their waiting.
    OpenCV parts pictures by its threads, and flows differ a little with that; so they are the same on any computer.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        cv2.setNumThreads(before)
