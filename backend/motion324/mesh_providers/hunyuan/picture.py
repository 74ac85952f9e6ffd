"""The object as Hunyuan3D-2 expects it: on a transparent background, in the middle of a square."""

from __future__ import annotations

import cv2
import numpy as np

from motion324.mesh_providers.interface import ObjectPicture

SIDE = 1024  # pixels, of the square at the most
BORDER = 0.15  # of the object's longer side, on each side of it


def object_on_square(picture: ObjectPicture) -> np.ndarray:
    """(S, S, 4) uint8 RGBA, S <= SIDE. Raises Motion324Error("no-foreground")."""
    frame, mask, solid = picture.frame, picture.mask, picture.solid()
    ys, xs = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    top, bottom, left, right = int(ys[0]), int(ys[-1]) + 1, int(xs[0]), int(xs[-1]) + 1
    side = round(max(bottom - top, right - left) * (1 + 2 * BORDER))
    square = np.zeros((side, side, 4), np.uint8)
    y, x = (side - (bottom - top)) // 2, (side - (right - left)) // 2
    coverage = np.clip(255 * mask[top:bottom, left:right, None] + 0.5, 0, 255).astype(np.uint8)
    square[y : y + bottom - top, x : x + right - left] = np.concatenate(
        [frame[top:bottom, left:right], coverage], axis=2
    )
    if side > SIDE:
        square = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return square
