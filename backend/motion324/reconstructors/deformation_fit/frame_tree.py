"""Decides from which frame each other one is reached, and fits them in that order, several at a time.

A frame is reached from one that looks much like it rather than from the one before it: what a pose can be found from is
a pose nearby. Frames whose parents are done need nothing of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event

import cv2
import numpy as np
from scipy.sparse.csgraph import dijkstra

from motion324.core.errors import Cancelled
from motion324.core.processes.machine import processor_count

SIZE = 40  # pixels of the thumbnails that are compared
STEP = 0.01  # what a step costs beside the difference that it crosses
POWER = 4.0
POLL_SECONDS = 0.1
MOST_WORKERS = 8  # each holds some ten working images


def frame_tree(greys: Sequence[np.ndarray] | np.ndarray) -> tuple[list[int], np.ndarray]:
    """greys: T images (h, w) uint8, even outside of the object.

    Returns the frames in an order in which each comes after its parent, frame 0 first, and parent (T,), -1 for frame 0.
    """
    # At least 1: scipy's graphs take what is nearly zero for no edge.
    cost = np.power(1.0 + _differences(greys) / STEP, POWER)
    distance, parent = dijkstra(cost, indices=0, return_predecessors=True)
    order = np.argsort(distance, kind="stable")
    return [int(t) for t in order], np.where(parent < 0, -1, parent)


def along_tree(
    order: list[int],
    parent: np.ndarray,
    work: Callable[[int, Callable[[], None]], None],
    tell: Callable[[int], None],
    workers: int | None = None,
) -> Iterator[int]:
    """work(t, check) for every frame but the first of the order, each after its parent's -> the frames, as they are
    done.

    order, parent: as frame_tree has them. As many at a time as there are cores, or `workers`; those first from which
    the most steps follow. check(): to be called often by the work; raises Cancelled where that has to end. tell(done):
    called ten times a second, by the thread that iterates. What it raises, or the work, ends the work and passes.
    """
    workers = workers or min(processor_count(), MOST_WORKERS)
    after = _steps_after(order, parent)
    children: dict[int, list[int]] = {}
    for t in order[1:]:
        children.setdefault(int(parent[t]), []).append(t)
    stopped = Event()

    def check() -> None:
        if stopped.is_set():
            raise Cancelled

    tell(0)
    yield order[0]
    ready, done = list(children.get(order[0], [])), 1
    running: dict[Future[None], int] = {}
    pool = ThreadPoolExecutor(workers, thread_name_prefix="motion324-fit")
    try:
        while ready or running:
            ready.sort(key=lambda t: after[t])
            while ready and len(running) < workers:
                t = ready.pop()
                running[pool.submit(work, t, check)] = t
            finished, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
            for future in finished:
                t = running.pop(future)
                future.result()
                done += 1
                ready += children.get(t, [])
                yield t
            tell(done)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _steps_after(order: list[int], parent: np.ndarray) -> np.ndarray:
    """(T,) int: length of the longest way from each frame to one that no other is reached from."""
    after = np.zeros(len(order), int)
    for t in reversed(order[1:]):
        after[parent[t]] = max(after[parent[t]], after[t] + 1)
    return after


def _differences(greys: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """(T, T) mean difference of thumbnails in [0, 1], over the pixels where either shows the object."""
    height, width = greys[0].shape
    scale = SIZE / max(height, width)
    size = (max(round(width * scale), 4), max(round(height * scale), 4))
    small: np.ndarray = np.stack([cv2.resize(g, size, interpolation=cv2.INTER_AREA) for g in greys]).reshape(
        len(greys), -1
    )
    small = small.astype(np.float32) / 255.0
    out = np.zeros((len(small), len(small)))
    for i in range(len(small)):  # each pair once: of 2,000 frames, half of that is 12 seconds of a processor
        either = np.maximum(small[i:], small[i]) > 0.02
        out[i, i:] = (np.abs(small[i:] - small[i]) * either).sum(axis=1) / np.maximum(either.sum(axis=1), 1)
        out[i:, i] = out[i, i:]
    return out
