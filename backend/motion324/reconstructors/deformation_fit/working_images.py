"""The images that the fit works on: cropped to the object over the whole clip, of a fixed size, one grey channel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.view import View

MARGIN = 0.08  # of the object's box, on every side
MASK_LEVEL = 0.5


@dataclass(frozen=True)
class WorkingImages:
    """colours (T, h, w, 3) uint8 and masks (T, h, w) bool of the crop; view: the camera in the crop's coordinates.

    axis (3,), offset: the grey channel is (colour - offset) . axis, stretched to 0..255: the direction in which the
    object's colours differ most, so that flow sees what luminance may hide.
    """

    colours: np.ndarray
    masks: np.ndarray
    view: View
    axis: np.ndarray
    offset: float
    gain: float

    def grey(self, colours: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(h, w, 3) and (h, w) bool -> (h, w) uint8; outside of the mask one even level."""
        value = (colours.astype(np.float32) @ self.axis - self.offset) * self.gain + 144.0
        value = np.clip(value, 56.0, 232.0)
        value[~mask] = 0.0
        return value.astype(np.uint8)


def working_images(frames: np.ndarray, masks: np.ndarray, view: View, longer_side: int) -> WorkingImages:
    """frames (T, H, W, 3) uint8, masks (T, H, W) in [0, 1], view of the whole image; longer_side: of the crop, at most,
    in pixels.
    """
    total, height, width = masks.shape
    seen = masks.max(axis=0) > MASK_LEVEL
    ys, xs = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    margin = MARGIN * max(ys[-1] - ys[0], xs[-1] - xs[0]) + 4
    y0, y1 = int(max(ys[0] - margin, 0)), int(min(ys[-1] + 1 + margin, height))
    x0, x1 = int(max(xs[0] - margin, 0)), int(min(xs[-1] + 1 + margin, width))
    scale = min(1.0, longer_side / max(y1 - y0, x1 - x0))
    h, w = max(round((y1 - y0) * scale), 16), max(round((x1 - x0) * scale), 16)
    colours = np.empty((total, h, w, 3), np.uint8)
    small = np.empty((total, h, w), bool)
    for t in range(total):
        colours[t] = cv2.resize(frames[t, y0:y1, x0:x1], (w, h), interpolation=cv2.INTER_AREA)
        soft = cv2.resize(masks[t, y0:y1, x0:x1].astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
        small[t] = soft > MASK_LEVEL
    axis, offset, gain = _contrast_axis(colours[:: max(1, total // 8)], small[:: max(1, total // 8)])
    crop_view = View(
        rotation=view.rotation,
        translation=view.translation,
        focal=view.focal * height / (y1 - y0),
        centre=((view.centre[0] * width - x0) / (x1 - x0), (view.centre[1] * height - y0) / (y1 - y0)),
    )
    return WorkingImages(colours, small, crop_view, axis, offset, gain)


def _contrast_axis(colours: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, float, float]:
    inside = colours[masks].astype(np.float64)
    if len(inside) < 10:
        return np.full(3, 1 / 3, np.float32), 127.0, 1.0
    inside = inside[:: max(1, len(inside) // 20000)]
    # Luminance plus the direction of largest variance: noise in a dull direction is not blown up.
    _, vectors = np.linalg.eigh(np.cov(inside.T) + 25.0 * np.eye(3))
    axis = vectors[:, -1] * np.sign(vectors[:, -1].sum() or 1.0)
    values = inside @ axis
    return axis.astype(np.float32), float(values.mean()), float(min(4.0, 40.0 / (values.std() + 1e-6)))
