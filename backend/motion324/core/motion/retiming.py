"""Cuts a motion in time: to a range of frames, to a loop that closes, to another frame rate.

All of it works on arrays whose first axis is time: trajectories (T, N, 3) as well as curves of bones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options.option_group import bad_option

SHORTEST_LOOP = 2  # frames
COMPARED = 1000  # vertices by which frames are compared
SPEED_FRAMES = 2.0  # a difference in speed counts as far as it leads in so many frames
AS_GOOD, NEARLY = 1.1, 1e-4  # a longer loop is taken whose step is no larger than this: of the best, and of the size


@dataclass(frozen=True)
class Loop:
    """The frames first .. first + count - 1, after which the motion begins anew.

    step, mean_step: how far frame first + count, which the first one replaces, is from it: of the vertex that is off
    the most, and in the mean; in the motion's own units. whole_step: how far the whole motion's last frame is from its
    first, of the vertex that is off the most.
    """

    first: int
    count: int
    step: float
    mean_step: float
    whole_step: float


def frame_range(frame_count: int, chosen: tuple[int | None, int | None, int]) -> np.ndarray:
    """(K,) int: the frames of the slice. Raises Motion324Error("bad-option") where fewer than two are left."""
    frames = np.arange(frame_count)[slice(*chosen)]
    if len(frames) < 2:
        raise bad_option("clip", f"leaves {len(frames)} of the {frame_count} frames; it must leave at least 2")
    return frames


def resample(values: np.ndarray, rate: float, new_rate: float, closed: bool = False) -> np.ndarray:
    """values (T, ...) at `rate` frames a second -> (T', ...) at `new_rate`, float64 or the type of the values.

    By Catmull and Rom's cubic curve through the frames, so that frames which fall together stay as they are, and the
    speed does not leap. closed: the first frame follows the last; then the new frames divide the same loop evenly, at
    a speed that differs by less than half a frame in the whole.
    """
    times = _times(len(values), rate, new_rate, closed)
    found = np.empty((len(times), *values.shape[1:]), values.dtype)
    for index, time in enumerate(times):
        found[index] = _at(values, float(time), closed)
    return found


def nearest_frames(count: int, rate: float, new_rate: float, closed: bool = False) -> np.ndarray:
    """(T',) int: of each frame that `resample` makes, the one of `count` frames that is nearest."""
    return np.rint(_times(count, rate, new_rate, closed)).astype(np.int64) % count


def _times(count: int, rate: float, new_rate: float, closed: bool) -> np.ndarray:
    """(T',) float64: where the new frames lie, counted in the old ones."""
    if closed:
        new_count = max(1, round(count * new_rate / rate))
        return np.arange(new_count) * (count / new_count)
    new_count = int((count - 1) * new_rate / rate + 1e-6) + 1
    return np.minimum(np.arange(new_count) * (rate / new_rate), count - 1)


def _at(values: np.ndarray, time: float, closed: bool) -> np.ndarray:
    whole = int(time + 1e-9)
    part = time - whole
    if part < 1e-6 or len(values) == 1:
        return values[whole]
    before, one, two, after = (_frame(values, whole + shift, closed) for shift in (-1, 0, 1, 2))
    slope, next_slope = (two - before) / 2, (after - one) / 2
    square, cube = part * part, part**3
    return (
        (2 * cube - 3 * square + 1) * one
        + (cube - 2 * square + part) * slope
        + (3 * square - 2 * cube) * two
        + (cube - square) * next_slope
    )


def _frame(values: np.ndarray, index: int, closed: bool) -> np.ndarray:
    """float64. Beyond its ends an open motion goes on as it began and ended."""
    last = len(values) - 1
    if closed:
        return values[index % len(values)].astype(np.float64)
    inside = min(max(index, 0), last)
    frame = values[inside].astype(np.float64)
    if inside == index:
        return frame
    return 2 * frame - values[1 if index < 0 else last - 1]


def find_loop(positions: np.ndarray, shortest: int = 0) -> Loop:
    """The frames of positions (T, N, 3) that follow each other best as a loop, by place and speed of the vertices.

    shortest: frames that the loop has at least; 0 is half of them. Of loops that are about as good the longest is
    taken. Raises Motion324Error("too-short-to-loop").
    """
    count = len(positions)
    shortest = max(SHORTEST_LOOP, shortest or count // 2)
    if count < shortest + 1:
        raise Motion324Error(
            "too-short-to-loop",
            f"{count} frames are too few for a loop of at least {shortest}.",
            "Use more frames, or allow a shorter loop.",
            EXIT_USAGE,
        )
    chosen = np.unique(np.linspace(0, positions.shape[1] - 1, COMPARED).round().astype(int))
    places = positions[:, chosen].astype(np.float64)
    places -= places.mean(axis=0)
    size = float(np.ptp(positions[0], axis=0).max())
    speeds = SPEED_FRAMES * np.gradient(places, axis=0)
    features = np.concatenate([places, speeds], axis=1).reshape(count, -1) / np.sqrt(len(chosen))
    squares = np.square(features).sum(axis=1)
    off = np.sqrt(np.maximum(squares[:, None] + squares - 2 * features @ features.T, 0))
    off[np.subtract.outer(np.arange(count), np.arange(count)) > -shortest] = np.inf  # [a, b]: too near, or before
    good = off <= AS_GOOD * off.min() + NEARLY * size
    lengths = np.subtract.outer(np.arange(count), np.arange(count)).T
    longest = np.where(good, lengths, -1).max()
    first, end = np.unravel_index(np.where(good & (lengths == longest), off, np.inf).argmin(), off.shape)
    steps = np.linalg.norm(positions[end].astype(np.float64) - positions[first], axis=1)
    whole = np.linalg.norm(positions[-1].astype(np.float64) - positions[0], axis=1)
    return Loop(int(first), int(end - first), float(steps.max()), float(steps.mean()), float(whole.max()))


def closed_loop(values: np.ndarray, loop: Loop) -> np.ndarray:
    """The frames (count, ...) of values (T, ...) that are in the loop, bent so that its end meets its beginning.

    What the end is off is spread evenly over all frames, so that each is moved by half of it at most, and no frame
    leaps.
    """
    frames = values[loop.first : loop.first + loop.count]
    off = values[loop.first + loop.count].astype(np.float64) - values[loop.first]
    share = np.arange(loop.count) / loop.count - 0.5
    return (frames - share.reshape(-1, *[1] * (values.ndim - 1)) * off).astype(values.dtype)
