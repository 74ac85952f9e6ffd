"""Computes dense optical flow, with a check of its way back."""

from __future__ import annotations

import cv2
import numpy as np


class DenseFlow:
    """OpenCV's DIS flow (Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse Search, ECCV 2016).

    finest: the finest level of its pyramid of images; 0 looks at every pixel, and takes four times as long as 1.
    """

    def __init__(self, finest: int = 1) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(finest)

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Two (h, w) uint8 -> (h, w, 2) float32 pixels (x, y) from the first to the second."""
        return self._dis.calc(first, second, None)

    def checked(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flow (h, w, 2) and the error (h, w) in pixels of going there and back."""
        forward = self.between(first, second)
        back = self.between(second, first)
        height, width = first.shape
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        returned = cv2.remap(
            back, x + forward[..., 0], y + forward[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return forward, np.linalg.norm(forward + returned, axis=2)


def sample_image(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """image (h, w, ...) at pixels (P, 2), whose (0.5, 0.5) is the middle of the first one; bilinear, edges repeated."""
    x = np.ascontiguousarray(pixels[:, 0] - 0.5, np.float32)
    y = np.ascontiguousarray(pixels[:, 1] - 0.5, np.float32)
    sampled = cv2.remap(image, x[:, None], y[:, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return sampled[:, 0]
