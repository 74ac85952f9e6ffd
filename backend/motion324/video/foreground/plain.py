"""Masks of clips whose background has one colour all over: white, black, a green screen or any other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.progress import Progress
from motion324.video.foreground.coverage import coverage_from_evidence

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
    chosen = frames[np.unique(np.linspace(0, len(frames) - 1, _FRAMES_LOOKED_AT).round().astype(int))]
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
    distance = np.linalg.norm(border[near] - colour, axis=1)
    return PlainBackground(colour=colour.astype(np.float32), noise=float(np.percentile(distance, 95)))


def plain_masks(frames: np.ndarray, background: PlainBackground, progress: Progress) -> np.ndarray:
    """frames (T, H, W, 3) uint8 -> (T, H, W) float32 in [0, 1]."""
    masks = np.empty(frames.shape[:3], np.float32)
    tolerance = _TOLERANCE + 2.5 * background.noise
    for index, frame in enumerate(frames):
        progress("foreground", index, len(frames))
        distance = np.linalg.norm(frame.astype(np.float32) - background.colour, axis=2)
        masks[index] = coverage_from_evidence(distance / np.float32(tolerance))
    return masks
