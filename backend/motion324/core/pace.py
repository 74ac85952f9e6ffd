"""Estimates how long a stage still takes from its recent pace."""

from __future__ import annotations

from collections import deque

_WINDOW = 15.0  # seconds of the past that count
_SHORTEST = 0.5  # seconds of watching before a number is given


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
