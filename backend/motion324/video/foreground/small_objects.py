"""Finds objects so small in the picture that a network, which sees all of it at 320 pixels, takes something else."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from motion324.video.foreground.coverage import disc

SMALL = 1 / 7  # of the picture's longer side: an object no larger than this is looked at again, from near
_NEAR_SIDE = 320  # pixels of the part of the picture that is looked at then, along its longer side
_SURROUNDINGS = 0.8  # of the object's size on each side
_FRAMES_LOOKED_AT = 32
_MOVES, _NOISE = 24.0, 6.0  # how far (0..255) a pixel changes that shows something moving; and times the usual change
_FEWEST = 12  # pixels
_SHARE, _FOUND = 0.8, 0.2  # of all that moves, in the one place; of it, what a first guess has to have found

Box = tuple[slice, slice]


def small_object_area(frames: np.ndarray, masks: np.ndarray, tick: Callable[[], None] = lambda: None) -> Box | None:
    """The rows and columns around a small object, where it is to be looked at from near; None where there is none.

    frames (T, H, W, 3) uint8, masks (T, H, W) float32: a first guess. What moves, alone before a picture that stands
    still, is the object, whatever else the guess has found; else the guess is right, and only coarse.
    """
    moving = _only_moving_place(frames, tick)
    solid = masks[_spread(len(masks))] > 0.5
    guessed = solid.any(axis=0)
    if moving is not None and (solid & moving).sum() < _FOUND * moving.sum() * len(solid):
        return _around(moving)
    return _around(guessed) if guessed.any() else None


def same_area(area: Box, size: tuple[int, int], other: tuple[int, int]) -> Box:
    """The area of a picture of size (height, width) in the same picture of the other size."""
    rows, columns = (
        slice(part.start * new // old, -(-part.stop * new // old))
        for part, old, new in zip(area, size, other, strict=True)
    )
    return rows, columns


def from_near(
    frames: np.ndarray, area: Box, find: Callable[[np.ndarray], np.ndarray], tick: Callable[[], None] = lambda: None
) -> np.ndarray:
    """The masks (T, H, W) float32 that `find` gives of that part of the frames (T, H, W, 3), enlarged."""
    height, width = (part.stop - part.start for part in area)
    scale = max(1.0, _NEAR_SIDE / max(height, width))
    size = (round(width * scale), round(height * scale))
    parts = []
    for frame in frames:
        tick()
        parts.append(cv2.resize(frame[area], size, interpolation=cv2.INTER_CUBIC))
    masks = np.zeros(frames.shape[:3], np.float32)
    for mask, near in zip(masks, find(np.stack(parts)), strict=True):
        mask[area] = cv2.resize(near, (width, height), interpolation=cv2.INTER_AREA)
    return masks


def _only_moving_place(frames: np.ndarray, tick: Callable[[], None]) -> np.ndarray | None:
    """(H, W) bool: where something changes, if that is one small place of a picture that stands still."""
    low = high = None
    for index in _spread(len(frames)):
        tick()
        smooth = cv2.blur(frames[index], (3, 3))
        low = smooth if low is None else np.minimum(low, smooth)
        high = smooth if high is None else np.maximum(high, smooth)
    assert low is not None and high is not None
    change = (high - low).max(axis=2).astype(np.float32)
    moving = change > max(_MOVES, _NOISE * float(np.median(change)))
    joined = cv2.dilate(moving.view(np.uint8), disc(max(2, max(change.shape) // 64)))
    count, labels = cv2.connectedComponents(joined)
    if count == 1:
        return None
    sizes = np.bincount(labels[moving], minlength=count)
    largest = int(sizes[1:].argmax()) + 1
    if sizes[largest] < max(_FEWEST, _SHARE * sizes.sum()):
        return None
    return moving & (labels == largest) if _around(labels == largest) is not None else None


def _around(shown: np.ndarray) -> Box | None:
    """shown (H, W) bool -> the rows and columns around it; None where it is not small."""
    x, y, width, height = cv2.boundingRect(shown.view(np.uint8))
    size = max(width, height)
    if size > SMALL * max(shown.shape):
        return None
    reach = round(_SURROUNDINGS * size) + 4
    rows = slice(max(0, y - reach), min(shown.shape[0], y + height + reach))
    return rows, slice(max(0, x - reach), min(shown.shape[1], x + width + reach))


def _spread(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, _FRAMES_LOOKED_AT).round().astype(int))
