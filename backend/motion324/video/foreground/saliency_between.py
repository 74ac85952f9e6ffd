"""Carries what was found to stand out in two frames to the one between them, along the optical flow.

Of a long video on a CPU, the network looks at every second frame only: it takes ten times as long as the flow. Where
the flow does not explain a frame, as after a cut, nothing is carried.
"""

from __future__ import annotations

import cv2
import numpy as np

from motion324.video.optical_flow import FlowOfThreads, pixels_of

LOOKED_AT = 320  # pixels of the longer side: the network sees no more
ALIKE = 12.0  # grey levels by which a carried pixel may differ from the frame's for its mask to count half
UNEXPLAINED = 0.04  # of the object's pixels and those around it: of more that differ by 2 * ALIKE, the network is asked
BLURRED = 2.0  # pixels over which differences are taken: single ones are noise


def carried_mask(
    frame: np.ndarray, neighbours: list[tuple[np.ndarray, np.ndarray]], flow: FlowOfThreads
) -> np.ndarray | None:
    """frame (H, W, 3) uint8; neighbours: such frames and their masks (H, W) in 0..1 -> the frame's mask (H, W) float32;
    None where its neighbours do not explain it."""
    height, width = frame.shape[:2]
    scale = min(1.0, LOOKED_AT / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    grey = _small_grey(frame, size)
    x, y = pixels_of(size[1], size[0])
    total, weights = np.zeros((size[1], size[0]), np.float32), np.full((size[1], size[0]), 1e-6, np.float32)
    least = np.full((size[1], size[0]), np.inf, np.float32)
    for other, mask in neighbours:
        beside = _small_grey(other, size)
        way = flow.between(grey, beside)
        there = (x + way[..., 0], y + way[..., 1])
        seen, carried = (
            cv2.remap(picture, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for picture in (beside, cv2.resize(np.asarray(mask, np.float32), size, interpolation=cv2.INTER_AREA))
        )
        difference = cv2.GaussianBlur(cv2.absdiff(grey, seen).astype(np.float32), (0, 0), BLURRED)
        weight = 1.0 / (1.0 + (difference / ALIKE) ** 2) ** 2
        total += weight * carried
        weights += weight
        least = np.minimum(least, difference)
    found = total / weights
    around = cv2.dilate(found, np.ones((9, 9), np.uint8)) > 0.1
    looked_at = least[around] if around.any() else least
    if (looked_at > 2 * ALIKE).mean() > UNEXPLAINED:
        return None
    return np.clip(cv2.resize(found, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def _small_grey(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
