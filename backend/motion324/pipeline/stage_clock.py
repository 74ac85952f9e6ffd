"""Measures how long each stage of a job takes, and lets go of memory meanwhile that nobody needs just then."""

from __future__ import annotations

import time

from motion324.core.files.frame_storage import let_go_of_pictures
from motion324.core.progress import STAGES, Progress

_HELD_SECONDS = 0.25  # so long, what was looked at of a long clip's pictures stays in memory


class StageClock:
    """A Progress that passes every report on, and keeps the seconds between the first reports of two stages."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stage = STAGES[0]
        self._since = time.perf_counter()
        self._seconds: dict[str, float] = {}
        self._let_go = self._since

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._turn_to(stage)
        if (now := time.perf_counter()) - self._let_go > _HELD_SECONDS:
            let_go_of_pictures()
            self._let_go = now
        self._progress(stage, done, total)

    def seconds(self) -> dict[str, float]:
        """Seconds by stage until now, in the pipeline's order, and their sum as "total"."""
        self._turn_to(self._stage)
        known = {stage: self._seconds[stage] for stage in STAGES if stage in self._seconds}
        return {name: round(value, 3) for name, value in (*known.items(), ("total", sum(known.values())))}

    def _turn_to(self, stage: str) -> None:
        now = time.perf_counter()
        self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now
