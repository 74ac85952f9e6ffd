"""Masks of clips whose background has one colour all over: white, black, a green screen or any other."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from motion324.progress import Progress

# A border counts as plain if this part of it, over the whole clip, lies this close (0..255) to one colour.
_PLAIN_SHARE = 0.75
_PLAIN_TOLERANCE = 10.0
_FRAMES_LOOKED_AT = 16


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
    for index, frame in enumerate(frames):
        progress("foreground", index, len(frames))
        masks[index] = mask_from_distance(
            np.linalg.norm(frame.astype(np.float32) - background.colour, axis=2), background.noise
        )
    return masks


def mask_from_distance(distance: np.ndarray, noise: float) -> np.ndarray:
    """How far each pixel's colour lies from the background's (H, W) float32 -> coverage (H, W) float32 in [0, 1].

    At the outline a pixel mixes both colours, and the codec's ringing surrounds it; so coverage is measured against the
    strongest distance nearby, and half of it is the edge, however strong the contrast is.
    """
    size = max(3, round(min(distance.shape) / 150) | 1)
    strongest = cv2.dilate(distance, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    floor = max(4.0, 2.5 * noise)
    coverage = np.clip(distance / np.maximum(strongest, 2 * floor), 0.0, 1.0)
    return _without_specks_and_pinholes(coverage)


def _without_specks_and_pinholes(coverage: np.ndarray) -> np.ndarray:
    """Drops spots and closes enclosed gaps that are far smaller than the object."""
    solid = (coverage > 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    if count <= 1:
        return np.zeros_like(coverage)
    areas = stats[1:, cv2.CC_STAT_AREA]
    smallest = max(6.0, 0.002 * float(areas.max()))
    keep = np.concatenate([[False], areas >= smallest])[labels]
    _, hole_labels, hole_stats, _ = cv2.connectedComponentsWithStats(1 - keep.astype(np.uint8), connectivity=4)
    small = hole_stats[:, cv2.CC_STAT_AREA] < max(12.0, 0.004 * float(areas.sum()))
    filled = small[hole_labels] & ~keep
    near = cv2.dilate(keep.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(filled, np.float32(1), np.where(near, coverage, 0)).astype(np.float32)
