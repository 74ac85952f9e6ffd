"""Makes the object's own picture the texture of both its sides."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

MARGIN = 8  # pixels around the object
LARGEST_SIDE = 1024
_SURE = 0.9  # of the mask: pixels that show nothing of the background


def object_texture(frame: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """frame (H, W, 3) uint8, mask (H, W) in [0, 1] -> (h, w, 4) uint8 and the box (x, y, width, height) that it shows.

    The background, and the object's outermost pixels that it shines into, take the colour of the nearest pixel that
    shows the object alone, so that nothing of the background gets onto the mesh.
    """
    solid = mask > 0.5
    ys, xs = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    top, left = max(int(ys[0]) - MARGIN, 0), max(int(xs[0]) - MARGIN, 0)
    bottom, right = min(int(ys[-1]) + 1 + MARGIN, mask.shape[0]), min(int(xs[-1]) + 1 + MARGIN, mask.shape[1])
    colours, coverage = frame[top:bottom, left:right], mask[top:bottom, left:right]
    rim = max(2, round(max(coverage.shape) / 120))
    sure = cv2.erode((coverage > _SURE).astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0
    # Parts too thin to have an inside keep their own colours.
    reached = cv2.dilate(sure.astype(np.uint8), np.ones((4 * rim + 1, 4 * rim + 1), np.uint8)) > 0
    sure |= (coverage > 0.5) & ~reached
    if not sure.any():
        sure = coverage > 0.5
    nearest = distance_transform_edt(~sure, return_distances=False, return_indices=True)
    filled = colours[nearest[0], nearest[1]]
    smooth = cv2.GaussianBlur(filled, (0, 0), 1.5 * rim)
    filled = np.where(sure[..., None], filled, smooth)
    scale = LARGEST_SIDE / max(filled.shape[:2])
    if scale < 1:
        size = (max(1, round(filled.shape[1] * scale)), max(1, round(filled.shape[0] * scale)))
        filled = cv2.resize(filled, size, interpolation=cv2.INTER_AREA)
    opaque = np.full((*filled.shape[:2], 1), 255, np.uint8)
    return np.concatenate([filled, opaque], axis=2), (left, top, right - left, bottom - top)
