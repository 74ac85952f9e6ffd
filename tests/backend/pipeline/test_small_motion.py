"""Clips that hardly move, with noise and compression in the video, through the default reconstructor: the result is
nearer to the truth than the mesh held still."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from creature import creature, film, waving

from motion324.core.clip import VideoClip
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.view import look_at_origin
from motion324.pipeline.animate import animate
from motion324.video.foreground import ForegroundMasks

NOISE, QUALITY = 8, 50  # grey levels; of JPEG
VIEW = look_at_origin(20.0, 5.0, 2.2, 1.39)


def moved_by(part: float, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, N, 3) that lie `part` of the size from the first frame's on average, and the rest (N, 3)."""
    mesh = creature()
    moved = waving(mesh, frames=frames, reach=0.8).astype(np.float64)
    away = moved - moved[:1]
    mean = np.linalg.norm(away[1:], axis=2).mean() / np.ptp(moved[0], axis=0).max()
    return moved[:1] + away * (part / mean), moved[0]


def compressed(frames: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(3)
    noisy = np.clip(frames + rng.normal(0, NOISE, frames.shape), 0, 255).astype(np.uint8)
    coded = [cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1] for picture in noisy]
    return np.stack([cv2.imdecode(code, cv2.IMREAD_COLOR) for code in coded])


def error_over_still(part: float, frames: int, size: int, **options) -> float:
    moved, rest = moved_by(part, frames)
    mesh = dataclasses.replace(creature(), positions=rest.astype(np.float32))
    pictures, masks = film(mesh, moved.astype(np.float32), VIEW, size)
    eroded = np.stack([cv2.erode(mask, np.ones((3, 3), np.uint8)) for mask in masks])
    clip = VideoClip(compressed(pictures), 12.0, np.arange(frames), None, "still")
    given = AnimateOptions(view="20,5", device="cpu", **options)
    result = animate(mesh, clip, given, foreground=ForegroundMasks(eroded, "given"))
    away = np.linalg.norm(result.positions - moved, axis=2).mean()
    return float(away / np.linalg.norm(moved - moved[:1], axis=2).mean())


def test_a_motion_of_half_a_hundredth_of_the_size_is_nearer_than_standing_still():
    assert error_over_still(0.005, 4, 128, quality="draft") < 1.0


@pytest.mark.long
@pytest.mark.parametrize("part", [0.002, 0.005, 0.01])
def test_small_motions_are_nearer_than_standing_still(part):
    assert error_over_still(part, 8, 384) < 1.0
