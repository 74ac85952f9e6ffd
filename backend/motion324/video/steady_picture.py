"""Draws a clip as a camera would have seen it that stands still where the first frame's stood."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.progress import Progress, silent
from motion324.video.camera_motion import CameraMotion

_MARGIN = 0.12  # of the object's box
_LARGEST = 8.0  # times the first frame's height: what moves farther away is cut off


@dataclass(frozen=True)
class SteadyPicture:
    """A part of the plane of the first frame's picture, which may reach beyond it.

    left, top: in pixels of that frame; scale: of these pixels to the own ones; width, height: in own pixels.
    """

    left: int
    top: int
    scale: float
    width: int
    height: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Its top, bottom, left and right in pixels of the first frame."""
        return self.top, self.top + self.height / self.scale, self.left, self.left + self.width / self.scale

    def from_first(self) -> np.ndarray:
        """(3, 3) float64: pixels (x, y, 1) of the first frame to the own ones; (0.5, 0.5) is the middle of a pixel."""
        return np.array([[self.scale, 0, -self.scale * self.left], [0, self.scale, -self.scale * self.top], [0, 0, 1]])


def picture_of(masks: np.ndarray, motion: CameraMotion, progress: Progress = silent) -> SteadyPicture:
    """The one that shows the object of masks (T, H, W) in all frames, with no more pixels than a frame has."""
    height, width = masks.shape[1:]
    low, high = [np.zeros(2)], [np.array([width, height], float)]
    boxes = []
    for mask, matrix in zip(masks, motion.to_first, strict=True):
        progress("foreground", len(masks), len(masks))
        x, y, w, h = cv2.boundingRect((mask > 0.05).view(np.uint8))
        if w:
            corners = np.array([[[x, y]], [[x + w, y]], [[x + w, y + h]], [[x, y + h]]], float)
            boxes.append(cv2.perspectiveTransform(corners, matrix)[:, 0])
    if boxes:
        low, high = [box.min(axis=0) for box in boxes], [box.max(axis=0) for box in boxes]
    start, end = np.min(low, axis=0), np.max(high, axis=0)
    margin = _MARGIN * float((high[0] - low[0]).max()) + 4
    reach = _LARGEST * height
    left, top = (math.floor(max(value, -reach)) for value in start - margin)
    right, bottom = (
        math.ceil(min(value, limit + reach)) for value, limit in zip(end + margin, (width, height), strict=True)
    )
    scale = min(1.0, math.sqrt(width * height / ((right - left) * (bottom - top))))
    own = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    return SteadyPicture(left, top, own[1] / (bottom - top), *own)


def steadied(
    images: np.ndarray, to_first: np.ndarray, picture: SteadyPicture, progress: Progress = silent
) -> np.ndarray:
    """images (T, H, W, ...) as that picture shows them -> (T, picture.height, picture.width, ...), 0 where no frame
    looks. to_first (T, 3, 3): as CameraMotion has it."""
    drawn = np.zeros((len(images), picture.height, picture.width, *images.shape[3:]), images.dtype)
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV's pixels have their middle at (0, 0)
    for index, (image, matrix) in enumerate(zip(images, to_first, strict=True)):
        progress("foreground", len(images), len(images))
        whole = np.linalg.inv(half) @ picture.from_first() @ matrix @ half
        drawn[index] = cv2.warpPerspective(image, whole, (picture.width, picture.height), flags=cv2.INTER_LINEAR)
    return drawn


def steady_images(images: np.ndarray, to_first: np.ndarray, progress: Progress = silent) -> np.ndarray:
    """images (T, H, W, ...) as the first frame's camera sees them, as large as they are.

    to_first (T, 3, 3): in units of the picture's height, as AnimationResult.camera_to_first is.
    """
    height, width = images.shape[1:3]
    to_pixels = np.diag([height, height, 1.0])
    in_pixels = to_pixels @ to_first @ np.linalg.inv(to_pixels)
    return steadied(images, in_pixels, SteadyPicture(0, 0, 1.0, width, height), progress)
