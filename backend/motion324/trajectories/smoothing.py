"""Evens trajectories out over time: takes trembling off, and smooths by a zero-phase low-pass."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ive

from motion324.core.progress import Progress, silent

# Values filtered at once: two blocks of this size in float64 are 64 MB.
BLOCK_VALUES = 4_000_000

TREMBLING = 0.002  # of the longest side: what moves to and fro by less than this between frames is mostly error
STEADYING = 1.0  # standard deviation, in frames, of the low-pass that tells trembling from motion


def smooth_trajectory(
    positions: np.ndarray, sigma: float, progress: Progress = silent, out: np.ndarray | None = None
) -> np.ndarray:
    """Smooths positions (T, N, 3) along time with a Gaussian whose standard deviation is `sigma` frames.

    The kernel is symmetric, so no motion comes late; its gain, exp(sigma^2 (cos w - 1)) at w radians a frame, is never
    zero, so slow motion passes whole and fast motion fades, but nothing freezes. Beyond its ends a trajectory goes on
    by point reflection about its first and last position: these two stay exactly where they are, and motion of
    constant velocity stays as it is.

    out: where to write, may be `positions` itself; a new float32 array otherwise.
    """
    return _through_low_pass(positions, sigma, None, progress, out)


def steadied(
    positions: np.ndarray, size: float, progress: Progress = silent, out: np.ndarray | None = None
) -> np.ndarray:
    """Takes the trembling off positions (T, N, 3) of a mesh whose longest side is `size`, and leaves the motion.

    What a low-pass of one frame would take off a vertex in a frame goes where it is shorter than TREMBLING of the size,
    and stays where it is much longer, as in fast motion, which a low-pass alone would hold back: nothing is moved by
    more than half of that. Both ends stay as they are.

    out: where to write, may be `positions` itself; a new float32 array otherwise.
    """
    return _through_low_pass(positions, STEADYING, TREMBLING * size, progress, out)


def _through_low_pass(
    positions: np.ndarray, sigma: float, trembling: float | None, progress: Progress, out: np.ndarray | None
) -> np.ndarray:
    """trembling: the length below which what the low-pass takes off is gone, and above which it comes back; None: all
    of it is gone."""
    frame_count, vertex_count = positions.shape[:2]
    if out is None:
        out = np.empty(positions.shape, np.float32)
    if frame_count < 3 or sigma <= 0 or trembling == 0:
        out[...] = positions
        return out
    weights = discrete_gaussian(sigma)
    radius = len(weights) // 2
    step = max(1, BLOCK_VALUES // (3 * (frame_count + 2 * radius)))
    for first in range(0, vertex_count, step):
        progress("smooth", first, vertex_count)
        block = positions[:, first : first + step].astype(np.float64)
        beyond = np.pad(block, ((radius, radius), (0, 0), (0, 0)), mode="reflect", reflect_type="odd")
        smooth = weights[0] * beyond[:frame_count]
        for shift, weight in enumerate(weights[1:], start=1):
            smooth += weight * beyond[shift : shift + frame_count]
        if trembling is not None:
            fast = block - smooth
            length = np.square(fast).sum(axis=2, keepdims=True)
            smooth += fast * (length / (length + trembling**2))
        smooth[0], smooth[-1] = block[0], block[-1]
        out[:, first : first + step] = smooth
    progress("smooth", vertex_count, vertex_count)
    return out


def discrete_gaussian(sigma: float) -> np.ndarray:
    """The weights (2 R + 1,) float64, sum 1, of the discrete analogue of a Gaussian (Lindeberg 1990, eq. 17).

    exp(-t) I_n(t) with t = sigma^2 has the standard deviation sigma exactly; a sampled Gaussian narrower than a frame
    does not.
    """
    radius = math.ceil(5 * sigma) + 2
    weights = ive(np.abs(np.arange(-radius, radius + 1)), sigma * sigma)
    return weights / weights.sum()
