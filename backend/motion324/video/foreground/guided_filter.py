"""Fits a soft mask to the colours of its picture: the guided filter of He, Sun and Tang (IEEE TPAMI 35, 2013), with
its coefficients computed at reduced size (He and Sun, "Fast Guided Filter", arXiv 1505.00996)."""

from __future__ import annotations

import cv2
import numpy as np

_SMOOTHNESS = 1e-3  # the paper's epsilon, for colours in [0, 1]


def fit_to_colours(mask: np.ndarray, frame: np.ndarray, side: int | None = None) -> np.ndarray:
    """mask (H, W) float32 in [0, 1], frame (H, W, 3) uint8 -> the mask with its edges on those of the frame.

    side: the shorter one of the whole picture, where this is a part of it.

    Within each window, 1/30 of the picture wide, the mask becomes a linear function of the colour.
    """
    height, width = mask.shape
    side = side or min(height, width)
    step = 4 if side >= 480 else 2 if side >= 240 else 1
    size = (max(1, width // step), max(1, height // step))
    radius = max(2, round(side / 64 / step))
    guide = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    slope, offset = _coefficients(guide, small, radius)
    slope = cv2.resize(slope, (width, height), interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    fitted = cv2.transform(slope * frame, np.full((1, 3), 1 / 255.0, np.float32)) + offset
    return np.clip(fitted, 0.0, 1.0)


def _coefficients(guide: np.ndarray, mask: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """mask ~ slope . guide + offset in each window, averaged over the windows: (H, W, 3) and (H, W)."""

    def mean(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (2 * radius + 1, 2 * radius + 1))

    centre, level = mean(guide), mean(mask)
    covariance = mean(guide * mask[..., None]) - centre * level[..., None]
    red, green, blue = (guide[..., k] for k in range(3))
    products = mean(np.stack([red * red, green * green, blue * blue, red * green], axis=2))
    others = mean(np.stack([red * blue, green * blue], axis=2))
    rr, gg, bb = (products[..., k] - centre[..., k] ** 2 + _SMOOTHNESS for k in range(3))
    rg = products[..., 3] - centre[..., 0] * centre[..., 1]
    rb = others[..., 0] - centre[..., 0] * centre[..., 2]
    gb = others[..., 1] - centre[..., 1] * centre[..., 2]
    # the inverse of the symmetric 3 x 3 matrix by its cofactors
    c00, c01, c02 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c11, c12, c22 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * c00 + rg * c01 + rb * c02
    x, y, z = (covariance[..., k] for k in range(3))
    slope = np.stack([c00 * x + c01 * y + c02 * z, c01 * x + c11 * y + c12 * z, c02 * x + c12 * y + c22 * z], axis=2)
    slope /= np.maximum(determinant, 1e-12)[..., None]
    offset = level - np.einsum("hwc,hwc->hw", slope, centre)
    return mean(slope), mean(offset)
