"""PSNR and SSIM of pictures."""

from __future__ import annotations

import cv2
import numpy as np

SIGMA, SIDE = 1.5, 11  # of the Gaussian window
K1, K2 = 0.01, 0.03
SAME = 100.0  # decibels that equal pictures get, so that means stay finite


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """a and b (H, W, 3) uint8 -> decibels, at most SAME."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return SAME if error == 0 else min(SAME, 10 * float(np.log10(255.0**2 / error)))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """a and b (H, W, 3) uint8 -> structural similarity, mean over colours and all places where the window fits.

    Z. Wang, A. Bovik, H. Sheikh, E. Simoncelli, Image quality assessment (2004).
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x = _blurred(x * x) - mean_x**2
    var_y = _blurred(y * y) - mean_y**2
    both = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (K1 * 255) ** 2, (K2 * 255) ** 2
    similar = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    edge = SIDE // 2
    return float(similar[edge:-edge, edge:-edge].mean())


def _blurred(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (SIDE, SIDE), SIGMA, borderType=cv2.BORDER_REFLECT))
