"""Which frames of a video are kept, for evenly spaced moments and at a lower rate, and at which size.

A long 4K video fits into memory so; one that does not is refused.
"""

from __future__ import annotations

import math

import numpy as np

from motion324.video.source import Source, Wanted, bad_video

# A file's frames count as unevenly spaced if one of them lies this many mean intervals off its even place: less is
# rounding of time stamps, and the jitter of phones, which no one sees.
_UNEVEN = 1.0


def even_frames(times: np.ndarray) -> tuple[np.ndarray, float] | None:
    """times (T,) float64 in seconds, rising -> (indices (T,) of the frames nearest to T even moments, their rate).

    None where the frames are evenly spaced already, or the times are no times (equal, falling, not finite).
    """
    if len(times) < 3 or not np.isfinite(times).all() or (np.diff(times) < 0).any() or times[-1] <= times[0]:
        return None
    even = np.linspace(times[0], times[-1], len(times))
    interval = even[1] - even[0]
    if np.abs(times - even).max() <= _UNEVEN * interval:
        return None
    return nearest_frames(times, even), float(1 / interval)


def rate_of(times: np.ndarray) -> float | None:
    """The mean rate of frames (T,) float64 that are shown at these seconds; None where the times are no times."""
    if len(times) < 3 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        return None
    return float((len(times) - 1) / (times[-1] - times[0]))


def nearest_frames(times: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """(K,) indices of the times (T,), rising, that are nearest to the moments (K,)."""
    after = np.clip(np.searchsorted(times, moments), 1, len(times) - 1)
    return after - (moments - times[after - 1] <= times[after] - moments)


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


# Frames are reduced while they are decoded, so that a long 4K video fits into memory: to LONGEST_SIDE pixels, and
# further where all of them together would take more than FRAME_BYTES, but never below SMALLEST_SIDE.
LONGEST_SIDE = 1024
SMALLEST_SIDE = 384
FRAME_BYTES = 320 * 2**20
MOST_BYTES = 2**31  # of frames that would still be too large at SMALLEST_SIDE: refused


def reduced_size(width: int, height: int, count: int) -> tuple[int, int]:
    """The (width, height) at which the frames of a clip of `count` of them are kept."""
    longest = max(width, height)
    fits = longest * math.sqrt(FRAME_BYTES / (3.0 * width * height * max(count, 1)))
    side = min(longest, LONGEST_SIDE, max(SMALLEST_SIDE, int(fits)))
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def check_length(source: Source, count: int, size: tuple[int, int]) -> None:
    """Whether so many frames of (width, height) are to be held. Raises Motion324Error("video-too-long")."""
    most = MOST_BYTES // (3 * size[0] * size[1])
    if count > most:
        raise bad_video(
            "video-too-long",
            f"The video '{source.path}' has {count} frames in the range, of which {most} fit into the memory meant for "
            f"them.",
            "Use a part of it (--frames) or fewer frames per second (--video-fps).",
        )


def stacked_alpha(alphas: dict[int, np.ndarray], shape: tuple[int, ...]) -> np.ndarray | None:
    """(T, H, W) uint8 out of masks by index; opaque where a frame has none, None where no frame has one."""
    if not alphas:
        return None
    stacked = np.full(shape, 255, np.uint8)
    for index, alpha in alphas.items():
        stacked[index] = alpha
    return stacked
