"""How different two colours are, for the purpose of finding an outline in a compressed video."""

from __future__ import annotations

import cv2
import numpy as np

# Codecs keep chroma at half the resolution and compress it harder, so it bleeds several pixels over an outline that is
# sharp in luma. It counts for a third of what it counts for in plain RGB distance: enough to see a red thing on green.
_LUMA, _CHROMA = 3.0, 1.0
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32)  # ITU-R BT.601
_WEIGHTED = _TO_YCC * np.sqrt([[_LUMA], [_CHROMA], [_CHROMA]]).astype(np.float32)


def colour_distance(difference: np.ndarray) -> np.ndarray:
    """difference (H, W, 3) float32: of two RGB pictures in 0..255 -> (H, W) float32; for greys the distance in RGB."""
    return np.sqrt(squared_length(cv2.transform(difference, _WEIGHTED)))


def squared_length(vectors: np.ndarray) -> np.ndarray:
    """vectors (H, W, 3) float32 -> (H, W) float32."""
    return product(vectors, vectors)


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two (H, W, 3) float32 -> (H, W) float32, the scalar product of their colours."""
    return cv2.transform(first * second, np.ones((1, 3), np.float32))


def largest(image: np.ndarray) -> np.ndarray:
    """image (..., 3) -> (...): the largest of the three; several times as fast as max(axis=-1)."""
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
