"""Which frames of a video stand for evenly spaced moments, where fewer are wanted than it has each second."""

from __future__ import annotations

import math

from motion324.video.source import Source, Wanted


def lower_rate(source: Source, wanted: Wanted, rate: float | None) -> float | None:
    """The rate, where the wanted frames have a higher one; else None, since frames in between are not invented."""
    return rate if rate is not None and rate < 0.999 * source.fps / wanted.step else None


def kept_count(source: Source, wanted: Wanted, rate: float | None) -> int:
    """How many frames are about to be kept at that rate, as `lower_rate` gives it."""
    return (
        wanted.count if rate is None else min(wanted.count, math.ceil(wanted.count * rate * wanted.step / source.fps))
    )


def number_of(index: int, source: Source, wanted: Wanted, rate: float | None) -> int:
    """Which frame of the source the kept frame `index` is, if all last equally long."""
    steps = index
    if rate is not None:  # of two that are as near the earlier one, as EvenMoments takes them
        steps = min(wanted.count - 1, math.ceil(index * source.fps / (wanted.step * rate) - 0.5 - 1e-4))
    return wanted.first + wanted.step * steps


class EvenMoments:
    """Goes through a video's frames as they are decoded; for each moment, the nearest frame that was kept stands.

    rate: moments per second, the first one at the first frame. interval: seconds between two frames, on average.
    chosen: for each moment that has passed, which one of the kept frames it is.
    """

    def __init__(self, rate: float, interval: float) -> None:
        self.chosen: list[int] = []
        self._rate = rate
        self._interval = interval
        self._kept = 0
        self._first = self._kept_at = self._before = -math.inf

    def wants(self, time: float) -> bool:
        """Whether the frame that is shown at `time`, in seconds, is kept."""
        if not (math.isfinite(time) and time > self._before):  # files without time stamps
            time = self._before + self._interval if self._kept else 0.0
        if not self._kept:
            self._first = time
        self._before = time
        taken = False
        while (moment := self._first + len(self.chosen) / self._rate) <= time + self._interval / 2 + 1e-6:
            nearer_before = self._kept > 0 and not taken and moment - self._kept_at < time - moment
            taken = taken or not nearer_before
            self.chosen.append(self._kept if taken else self._kept - 1)
        if taken:
            self._kept += 1
            self._kept_at = time
        return taken
