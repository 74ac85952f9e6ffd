"""From evidence per pixel to how much of each pixel the object covers."""

from __future__ import annotations

import cv2
import numpy as np

# Parts of the object and gaps in it that are smaller than this part of the whole object are specks and pinholes.
_SMALLEST_PART = 0.002
_SMALLEST_GAP = 0.0015
_SMALLEST_PIXELS = 12


def coverage_from_evidence(evidence: np.ndarray, side: int | None = None) -> np.ndarray:
    """evidence (H, W) float32: how different from the background, 1 where that begins to mean something -> (H, W)
    float32 in [0, 1], 0.5 at the object's outline. side: the shorter one of the whole picture, where this is a part.

    At the outline a pixel mixes both colours, and a codec's ringing and bled chroma surround it. So there, coverage is
    the evidence relative to the strongest nearby: the outline lies where it has fallen to half, however strong the
    contrast is. Away from the background, pale and dark parts beside strong ones are not to be lost: they count whole.
    """
    radius = max(1, round((side or min(evidence.shape)) / 256))
    strongest = cv2.dilate(evidence, disc(radius))
    coverage = np.clip(evidence / np.maximum(strongest, 2.0), 0.0, 1.0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((evidence <= 1.0).view(np.uint8), connectivity=4)
    object_area = float(stats[0, cv2.CC_STAT_AREA])
    background = stats[:, cv2.CC_STAT_AREA] >= max(_SMALLEST_PIXELS, _SMALLEST_GAP * object_area)
    background[0] = False
    if count == 1 or not background.any():
        return np.ones_like(coverage) if object_area else np.zeros_like(coverage)
    near_background = cv2.dilate(background[labels].view(np.uint8), disc(radius + 1)) > 0
    return without_specks(np.where(near_background, coverage, np.float32(1.0)))


def without_specks(coverage: np.ndarray) -> np.ndarray:
    """Drops what stands alone and is far smaller than the largest part. coverage (H, W) float32 -> the same."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((coverage > 0.5).view(np.uint8), connectivity=8)
    if count == 1:
        return np.zeros_like(coverage)
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= max(_SMALLEST_PIXELS / 2, _SMALLEST_PART * float(areas[1:].max()))
    kept[0] = False
    beside = cv2.dilate(kept[labels].view(np.uint8), np.ones((3, 3), np.uint8)) > 0  # the outline's soft pixels stay
    return np.where(beside, coverage, np.float32(0.0))


def disc(radius: int) -> np.ndarray:
    """A structuring element for OpenCV's morphology."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
