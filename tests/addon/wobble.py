"""The motion that the tests' backend makes, so that a test can compare with it."""

from __future__ import annotations

import numpy as np


def wobbled(positions: np.ndarray, index: int) -> np.ndarray:
    """(N, 3) float32: frame `index` of the motion; every vertex moves, each in its own way."""
    swing = np.sin(0.4 * index) * np.sin(3 * positions[:, [1, 2, 0]]) * 0.2
    return (positions * (1 + 0.03 * index) + swing).astype(np.float32)


def wobble(positions: np.ndarray, frames: int) -> np.ndarray:
    """(T, N, 3) float32."""
    return np.stack([wobbled(positions, index) for index in range(frames)])
