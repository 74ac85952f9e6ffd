"""Defines how a long step reports where it is and learns that it should stop, what its stages are called, and how long
a stage still takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

_WINDOW = 15.0  # seconds of the past that count
_SHORTEST = 0.5  # seconds of watching before a number is given


class Progress(Protocol):
    """Called by every long step at least four times a second.

    stage: one of STAGES; "mesh" while one is made from a picture, "rig" while bones are keyed, "report" while a page
    is drawn. done and total: counted in the stage's own unit (frames, mostly), 0 <= done <= total.
    Raises motion324.core.errors.Cancelled when the user has asked to stop; a step lets that exception pass.
    """

    def __call__(self, stage: str, done: int, total: int) -> None: ...


OnMatch = Callable[[float], None]  # see motion324.pipeline.animate.animate


def unmatched(overlap: float) -> None:
    """An OnMatch for callers that do not care."""


# What the panel and the terminal call a stage before people; a job's stages in the order of the pipeline.
STAGE_LABELS = {
    "read": "Reading the video",
    "foreground": "Finding the foreground",
    "sample": "Sampling the surface",
    "view": "Finding the view",
    "load": "Loading the model",
    "warm-up": "Warming up",
    "reconstruct": "Reconstructing",
    "refine": "Refining",
    "smooth": "Smoothing",
    "write": "Writing",
    "mesh": "Making the mesh",
    "rig": "Keying bones",
}
STAGES = tuple(stage for stage in STAGE_LABELS if stage not in ("mesh", "rig"))


def silent(stage: str, done: int, total: int) -> None:
    """A Progress for callers that do not care."""


class Pace:
    """Fed with a job's progress reports, gives the remaining seconds of the present stage."""

    def __init__(self) -> None:
        self._stage = ""
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, stage: str, done: int, total: int, now: float) -> float | None:
        """now: seconds of a monotonic clock. None while the pace is not known."""
        if stage != self._stage or (self._seen and done < self._seen[-1][1]):
            self._stage = stage
            self._seen.clear()
        if not self._seen or done > self._seen[-1][1]:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW:
            self._seen.popleft()
        first_time, first_done = self._seen[0]
        watched, advanced = now - first_time, done - first_done
        if done >= total:
            return 0.0
        if watched < _SHORTEST or advanced <= 0:
            return None
        return (total - done) * watched / advanced
