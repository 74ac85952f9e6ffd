"""Changes a finished motion without finding it again: less or more of it, smoother, slower, trimmed, as a loop."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from motion324.core.motion.retiming import closed_loop, find_loop

MOST_SHARPENED = 100.0  # times: what a strong low-pass took away has drowned in rounding
AT_ONCE = 2_000_000  # values that are filtered at once
FEWEST = 2  # frames that trimming leaves


@dataclass(frozen=True)
class Tweak:
    """What is changed. The defaults change nothing but where they say so.

    smoothing: standard deviation in frames of the low-pass over time that the result shall have, whatever it was made
    with; None leaves that. strength: of the motion, away from the mesh's own shape; 1 is as the video shows it.
    speed: 2 takes half the time. start: the scene's frame of the first one; None leaves it where it is.
    trim_start, trim_end: frames that are left out. loop: the longest part that closes well, bent so that it does.
    still: vertices that never move farther than so many percent of the longest side stay where they are.
    """

    smoothing: float | None = None
    strength: float = 1.0
    speed: float = 1.0
    start: float | None = None
    trim_start: int = 0
    trim_end: int = 0
    loop: bool = False
    still: float = 0.0

    @property
    def changes_places(self) -> bool:
        """Whether positions or frames change, and not only when they are shown."""
        return dataclasses.replace(self, start=None, speed=1.0) != Tweak()


@dataclass(frozen=True)
class Tweaked:
    """positions (T', N, 3) float32. frames (T',) int: those of the untouched motion."""

    positions: np.ndarray
    frames: np.ndarray


def tweaked(positions: np.ndarray, tweak: Tweak, rest: np.ndarray | None = None, smoothed: float = 0.0) -> Tweaked:
    """positions (T, N, 3); rest (N, 3): the mesh's own shape, the first frame where None. smoothed: standard deviation
    of the low-pass that the positions have been through.

    Raises Motion324Error("too-short-to-loop").
    """
    count = len(positions)
    first = min(tweak.trim_start, max(count - FEWEST, 0))
    end = max(count - tweak.trim_end, min(first + FEWEST, count))
    frames: np.ndarray = np.arange(first, end)
    if not tweak.changes_places:
        return Tweaked(positions, frames)
    rest = positions[0] if rest is None else rest
    if tweak.smoothing is not None and tweak.smoothing != smoothed:
        moved = resmoothed(positions, smoothed, tweak.smoothing)[first:end]  # of the whole: a cut changes no motion
    else:
        moved = np.array(positions[first:end], np.float32)
    if tweak.still > 0:
        _hold_still(moved, tweak.still / 100 * float(np.ptp(rest, axis=0).max()))
    if tweak.strength != 1.0:
        moved = (rest + np.float32(tweak.strength) * (moved - rest)).astype(np.float32)
    if tweak.loop:
        loop = find_loop(moved)
        moved, frames = closed_loop(moved, loop), frames[loop.first : loop.first + loop.count]
    return Tweaked(moved, frames)


def resmoothed(positions: np.ndarray, before: float, after: float) -> np.ndarray:
    """positions (T, N, 3) that went through the low-pass of motion324.trajectories.smoothing with the standard
    deviation `before`, as if it had been `after` (frames) -> (T, N, 3) float32.

    That low-pass goes on beyond both ends by point reflection. Without the straight line between the ends the motion is
    then odd about both, a sum of sines that vanish there, and each of them is multiplied with exp(s^2 (cos w - 1)): so
    the one can be exchanged for the other, frequency by frequency, and the ends stay exactly where they are.
    """
    count = len(positions)
    if count < 3 or before == after:
        return np.array(positions, np.float32)
    flat = positions.reshape(count, -1)
    found = np.empty(flat.shape, np.float32)
    way = np.linspace(0.0, 1.0, count)[:, None]
    gain = np.exp((after**2 - before**2) * (np.cos(np.pi * np.arange(count) / (count - 1)) - 1))
    gain = np.minimum(gain, MOST_SHARPENED)[:, None]
    step = max(1, AT_ONCE // (2 * count))
    for first in range(0, flat.shape[1], step):
        block = np.asarray(flat[:, first : first + step], np.float64)
        line = block[0] + way * (block[-1] - block[0])
        bent = block - line
        odd = np.concatenate([bent, -bent[-2:0:-1]])
        whole = np.fft.irfft(np.fft.rfft(odd, axis=0) * gain, n=len(odd), axis=0)
        block = line + whole[:count]
        block[[0, -1]] = flat[[0, -1], first : first + step]
        found[:, first : first + step] = block
    return found.reshape(positions.shape)


def _hold_still(positions: np.ndarray, threshold: float) -> None:
    """In place. Vertices that move about twice as far have all of their motion, and what lies between a part of it."""
    farthest = np.sqrt(np.square(positions - positions[0]).sum(axis=2).max(axis=0))
    part = np.clip(farthest / max(threshold, 1e-12) - 1, 0, 1)
    held = part < 1
    part = (part * part * (3 - 2 * part)).astype(np.float32)[held, None]
    positions[:, held] = positions[0, held] + part * (positions[:, held] - positions[0, held])
