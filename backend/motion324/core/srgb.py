"""Converts between linear light and sRGB (IEC 61966-2-1); nothing else does."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def linear_to_srgb(linear: ArrayLike) -> np.ndarray:
    """Linear light, any shape, clipped to [0, 1] -> sRGB in [0, 1]; float32 stays float32, all else becomes float64."""
    value = np.clip(_floats(linear), 0, 1)
    return np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)


def srgb_to_linear(srgb: ArrayLike) -> np.ndarray:
    """sRGB, any shape, clipped to [0, 1] -> linear light in [0, 1]; float32 stays float32, all else becomes float64."""
    value = np.clip(_floats(srgb), 0, 1)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _floats(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64)
