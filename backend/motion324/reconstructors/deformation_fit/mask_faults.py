"""Tells where the reference frame's mask is wrong, since it is known where the mesh is there: what a mask lacks in one
frame, or has beside the object, it mostly lacks and has in the others, too.

Letters: P surface points.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

BESIDE = 2.0  # pixels of the working images, as much as views and good masks are wrong


@dataclass(frozen=True)
class MaskFaults:
    """lacking (P,) bool: points that appear beside the mask, which would draw them into it. surplus (P,) bool: those
    that parts of the mask without the mesh would draw there."""

    lacking: np.ndarray
    surplus: np.ndarray


def faults_of(mask: np.ndarray, drawn: np.ndarray, pixels: np.ndarray) -> MaskFaults:
    """mask, drawn (h, w) bool: of the reference frame, and of the mesh in its pose there. pixels (P, 2): where the
    points appear in it."""
    none = np.zeros(len(pixels), bool)
    if not (mask.any() and drawn.any()):
        return MaskFaults(none, none)
    x, y = np.clip(pixels, 0, np.array(mask.shape[::-1]) - 1).astype(np.int64).T
    surplus = none.copy()
    ys, xs = np.nonzero(mask & (_distance(drawn) > BESIDE))
    if len(ys):
        surplus[cKDTree(pixels).query(np.stack([xs + 0.5, ys + 0.5], axis=1))[1]] = True
    return MaskFaults(_distance(mask)[y, x] > BESIDE, surplus)


def _distance(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool -> pixels to the nearest one of the mask."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5))
