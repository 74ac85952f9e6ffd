"""One square for all frames, with the object in its middle: what generators of meshes and image encoders expect."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.errors import EXIT_NO_FOREGROUND, Motion324Error


@dataclass(frozen=True)
class Crop:
    """A square in pixels of the frames: its left and upper edge, which may lie outside, and the length of its sides."""

    left: int
    top: int
    side: int


def object_crop(masks: np.ndarray, margin: float = 0.1) -> Crop:
    """masks (T, H, W) float32 -> the square around the object in all frames; margin: part of the side that is added.

    The square does not move, so that the object's motion stays what it is. Raises Motion324Error("no-foreground").
    """
    area = np.any(masks > 0.5, axis=0)
    columns, rows = np.flatnonzero(np.any(area, axis=0)), np.flatnonzero(np.any(area, axis=1))
    if not len(rows):
        raise Motion324Error(
            "no-foreground",
            "The masks show no object in any frame.",
            "Look at the masks, or give your own with --mask.",
            EXIT_NO_FOREGROUND,
        )
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    side = max(2, round(max(right - left, bottom - top) * (1 + margin)))
    return Crop(round((left + right - side) / 2), round((top + bottom - side) / 2), side)


def cropped(image: np.ndarray, crop: Crop, size: int, outside: int | float = 0) -> np.ndarray:
    """image (H, W) or (H, W, C) -> (size, size) or (size, size, C); what lies outside of the image is `outside`."""
    height, width = image.shape[:2]
    right, bottom = crop.left + crop.side, crop.top + crop.side
    inner = image[max(0, crop.top) : max(0, bottom), max(0, crop.left) : max(0, right)]
    padded = cv2.copyMakeBorder(
        inner,
        max(0, -crop.top),
        max(0, bottom - height),
        max(0, -crop.left),
        max(0, right - width),
        cv2.BORDER_CONSTANT,
        value=(outside,) * 4,
    )
    return cv2.resize(padded, (size, size), interpolation=cv2.INTER_AREA if crop.side > size else cv2.INTER_CUBIC)
