"""Masks clips whose background has one colour all over: white, black, a green screen or any other."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.progress import Progress
from motion324.video.foreground.background_plate import distance_beyond_shadow
from motion324.video.foreground.coverage import colour_distance, coverage_from_evidence, disc

# A border counts as plain if this part of it, over the whole clip, lies this close (0..255) to one colour.
_PLAIN_SHARE = 0.75
_PLAIN_TOLERANCE = 10.0
_FRAMES_LOOKED_AT = 16
_TOLERANCE = 12.0  # colour distance (0..255) that blocks and ringing of a codec reach in the plainest background


@dataclass(frozen=True)
class PlainBackground:
    """colour (3,) float32 in 0..255; noise: how far (0..255) the codec takes the background's pixels from it."""

    colour: np.ndarray
    noise: float


def find_plain_background(frames: np.ndarray) -> PlainBackground | None:
    """frames (T, H, W, 3) uint8 -> the one colour around the object, or None where the border shows several.

    The border is a band of 2 % of the picture. The object may cover up to a quarter of it.
    """
    chosen = frames[_spread(len(frames), _FRAMES_LOOKED_AT)]
    height, width = frames.shape[1:3]
    band = max(3, round(0.02 * min(height, width)))
    border = np.concatenate(
        [
            chosen[:, :band].reshape(-1, 3),
            chosen[:, -band:].reshape(-1, 3),
            chosen[:, band:-band, :band].reshape(-1, 3),
            chosen[:, band:-band, -band:].reshape(-1, 3),
        ]
    ).astype(np.float32)
    colour = np.median(border, axis=0)
    for _ in range(3):  # the median of what lies near it: a quarter of other colours would shift it
        near = np.abs(border - colour).max(axis=1) <= _PLAIN_TOLERANCE
        if near.mean() < _PLAIN_SHARE:
            return None
        colour = np.median(border[near], axis=0)
    distance = colour_distance((border[near] - colour)[None])[0]
    return PlainBackground(colour=colour.astype(np.float32), noise=float(np.percentile(distance, 95)))


def plain_masks(frames: np.ndarray, background: PlainBackground, progress: Progress) -> np.ndarray:
    """frames (T, H, W, 3) uint8 -> (T, H, W) float32 in [0, 1]."""
    masks = np.empty(frames.shape[:3], np.float32)
    tolerance = _TOLERANCE + 2.5 * background.noise
    for index, frame in enumerate(frames):
        progress("foreground", index, len(frames))
        distance = colour_distance(frame.astype(np.float32) - background.colour)
        masks[index] = coverage_from_evidence(distance / np.float32(tolerance))
    return masks


def clear_outline_share(frames: np.ndarray, background: PlainBackground, masks: np.ndarray) -> float:
    """The part of the masks' outlines, 0 to 1, at which the colour changes at once, as it does where an object ends.

    Shadows, vignettes and gradients fade instead, and so do masks that follow nothing but noise. 0 for empty masks.
    """
    shares = []
    tolerance = _TOLERANCE + 2.5 * background.noise
    for index in _spread(len(frames), _FRAMES_LOOKED_AT):
        solid = (masks[index] > 0.5).view(np.uint8)
        outline = (solid > 0) & (cv2.erode(solid, np.ones((3, 3), np.uint8)) == 0)
        if outline.any():
            distance = colour_distance(frames[index].astype(np.float32) - background.colour)
            shares.append(float((cv2.dilate(distance, disc(3))[outline] > 2.5 * tolerance).mean()))
    return float(np.mean(shares)) if shares else 0.0


def shadow_share(frames: np.ndarray, background: PlainBackground, masks: np.ndarray) -> float:
    """The part of the masks, 0 to 1, that might be shadow: the background's own colour, made darker."""
    shares = []
    for index in _spread(len(frames), _FRAMES_LOOKED_AT):
        solid = masks[index] > 0.5
        if solid.any():
            behind = np.broadcast_to(background.colour, frames[index].shape)
            rest = distance_beyond_shadow(frames[index].astype(np.float32), behind)
            shares.append(float((rest[solid] < 1.5 * _TOLERANCE).mean()))
    return float(np.mean(shares)) if shares else 0.0


def _spread(count: int, most: int) -> np.ndarray:
    """At most `most` indices, spread over 0 .. count - 1."""
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))
