"""Finds where a picture shows its background through an object: inside of rings and wheels, between spokes.

A network that looks for what stands out fills such holes. They have the colours of the background around the object,
and none of those that only the object has.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from motion324.video.foreground.coverage import disc

_LEVELS = 6  # of each colour channel that are told apart
_AROUND = 0.5  # of the object's box: so far around it lies the background that is compared
_FEWEST = 400  # pixels of background, or of the object, that make a histogram
# A hole shares so much of its histogram with the background, at most so much with the object around it, and has at
# least this part of the object's area: smaller patches in the background's colours are often the object's own, as on
# the back of a ray in the sea, and cutting them out costs more than small holes that stay filled.
_LIKE_BACKGROUND, _LIKE_OBJECT, _SMALLEST = 0.6, 0.3, 0.12
_CLOSED = 0.9  # of a hole's surroundings that are the object's


def enclosed_background(
    frames: np.ndarray, saliency: np.ndarray, background: np.ndarray, tick: Callable[[], None] = lambda: None
) -> np.ndarray:
    """(K, H, W) bool: the holes of the object through which its background is seen.

    frames (K, H, W, 3) uint8, saliency (K, H, W) float32: a first guess of the object, which may fill its holes;
    background (K, H, W) bool: what surely is none of it.
    """
    found = np.zeros(background.shape, bool)
    for index, (frame, guess, clear) in enumerate(zip(frames, saliency, background, strict=True)):
        tick()
        found[index] = _holes(frame, guess > 0.5, clear)
    return found


def _holes(frame: np.ndarray, solid: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """One frame's."""
    holes = np.zeros(solid.shape, bool)
    x, y, width, height = cv2.boundingRect(solid.view(np.uint8))
    reach = round(_AROUND * max(width, height))
    area = (slice(max(0, y - reach), y + height + reach), slice(max(0, x - reach), x + width + reach))
    inside, outside = solid[area], clear[area]
    if inside.sum() < _FEWEST or outside.sum() < _FEWEST:
        return holes
    bins = _bins(frame[area])
    behind, own = _histogram(bins[outside]), _histogram(bins[inside])
    only_own = np.maximum(own - behind, 0)
    side = max(1, round(min(solid.shape) / 200))
    likely = cv2.blur((behind / (behind + only_own + 1e-6)).astype(np.float32)[bins], (2 * side + 1, 2 * side + 1))
    candidates = cv2.morphologyEx(((likely > 0.5) & inside).view(np.uint8), cv2.MORPH_OPEN, disc(side))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=4)
    rest = inside & (candidates == 0)
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_AREA] < max(40, _SMALLEST * int(inside.sum())):
            continue
        part = labels == label
        if _is_hole(part, rest, bins, behind, side):
            holes[area] |= part
    return holes


def _is_hole(part: np.ndarray, rest: np.ndarray, bins: np.ndarray, behind: np.ndarray, side: int) -> bool:
    """Whether part (h, w) bool is closed in by the rest of the object, and like the background but not like that."""
    around = (cv2.dilate(part.view(np.uint8), disc(2 * side + 1)) > 0) & ~part
    if rest[around].mean() < _CLOSED:
        return False
    own = _histogram(bins[part])
    beside = (cv2.dilate(part.view(np.uint8), disc(8 * side)) > 0) & rest & ~around
    if beside.sum() < 40 or _shared(own, behind) < _LIKE_BACKGROUND:
        return False
    return _shared(own, _histogram(bins[beside])) <= _LIKE_OBJECT


def _bins(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 -> (h, w) int: which of _LEVELS**3 colours each pixel has."""
    levels = image.astype(np.int32) * _LEVELS >> 8
    return (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]


def _histogram(bins: np.ndarray) -> np.ndarray:
    """(P,) int -> (_LEVELS**3,) float, its sum 1; neighbouring levels share, as noise would have it."""
    counts = np.bincount(bins, minlength=_LEVELS**3).reshape(_LEVELS, _LEVELS, _LEVELS).astype(float)
    for axis in range(3):
        ends = [(1, 1) if k == axis else (0, 0) for k in range(3)]
        wide = np.pad(counts, ends, mode="edge")
        before, after = np.take(wide, range(_LEVELS), axis), np.take(wide, range(2, _LEVELS + 2), axis)
        counts = 0.5 * counts + 0.25 * (before + after)
    return counts.ravel() / counts.sum()


def _shared(first: np.ndarray, second: np.ndarray) -> float:
    """The intersection of two histograms, 0 to 1."""
    return float(np.minimum(first, second).sum())
