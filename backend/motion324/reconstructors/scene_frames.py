"""Prepares a scene's frames as the models want them: the object alone on black, filling a square."""

from __future__ import annotations

import cv2
import numpy as np

from motion324.core.errors import EXIT_NO_FOREGROUND, Motion324Error
from motion324.core.progress import Progress

SIDE = 512  # pixels; the model was trained on frames that had been brought to this size first


def object_frames(frames: np.ndarray, masks: np.ndarray, progress: Progress) -> np.ndarray:
    """frames (T, H, W, 3) uint8, masks (T, H, W) in [0, 1] -> (T, SIDE, SIDE, 3) uint8.

    All frames are cut along the same square: around the box that holds the object in the whole video, which is centred
    in it. What lies beyond the image is black.
    Raises Motion324Error("no-foreground") where the masks are empty.
    """
    top, left, side = square_of(masks)
    cut = np.empty((len(frames), SIDE, SIDE, 3), np.uint8)
    shrink = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        progress("reconstruct", 0, len(frames))
        square = np.zeros((side, side, 3), np.uint8)
        rows = slice(max(top, 0), min(top + side, frame.shape[0]))
        columns = slice(max(left, 0), min(left + side, frame.shape[1]))
        visible = np.rint(frame[rows, columns] * np.clip(mask[rows, columns, None], 0.0, 1.0)).astype(np.uint8)
        square[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = visible
        cut[index] = cv2.resize(square, (SIDE, SIDE), interpolation=shrink)
    return cut


def square_of(masks: np.ndarray) -> tuple[int, int, int]:
    """(top, left, side) in pixels of the square around the object over all frames; it may reach beyond the image."""
    seen = np.zeros(masks.shape[1:], bool)
    for mask in masks:
        seen |= mask > 0.5
    if not seen.any():
        raise Motion324Error(
            "no-foreground", "The masks show no object in any frame.", "Give masks, with --mask.", EXIT_NO_FOREGROUND
        )
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    side = int(max(height, width))
    return int(rows[0] - (side - height) // 2), int(columns[0] - (side - width) // 2), side
