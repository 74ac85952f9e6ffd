"""Points that are carried along the flow, against numpy's and OpenCV's way to do it."""

from __future__ import annotations

import cv2
import numpy as np

from motion324.reconstructors.deformation_fit.carried_points import MORE_PER_PIXEL, VISIBLE_WITHIN, carry_points
from motion324.video.optical_flow import sample_image, there_and_back

HEIGHT, WIDTH, TRUST = 50, 70, 1.5


def smooth(rng, *shape) -> np.ndarray:
    return cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 5) * 30


def test_points_are_carried_and_weighed_as_pixel_by_pixel():
    rng = np.random.default_rng(0)
    forward, back = smooth(rng, HEIGHT, WIDTH, 2), smooth(rng, HEIGHT, WIDTH, 2)
    inside, wanted = (smooth(rng, HEIGHT, WIDTH) > -2 for _ in range(2))
    depth = np.where(inside, rng.uniform(1, 2, (HEIGHT, WIDTH)), np.inf).astype(np.float32)
    pixels = rng.uniform((-5, -5), (WIDTH + 5, HEIGHT + 5), (800, 2))
    own, area = rng.uniform(1, 2, 800), rng.uniform(0.5, 1, 800)
    moved, weights = carry_points(pixels, own, area, depth, inside, forward, back, wanted, TRUST)

    expected = pixels + sample_image(forward, pixels)
    assert np.abs(moved - expected).max() < 0.05  # OpenCV's places are 32nds of a pixel
    _, error = there_and_back(forward, back)
    x, y = np.clip(pixels, 0, [WIDTH - 1, HEIGHT - 1]).astype(int).T
    tx, ty = np.clip(moved, 0, [WIDTH - 1, HEIGHT - 1]).astype(int).T
    seen = inside[y, x] & (own < depth[y, x] + VISIBLE_WITHIN) & wanted[ty, tx]
    for places in (pixels, moved):
        seen &= ((places >= 0) & (places < [WIDTH, HEIGHT])).all(axis=1)
    assert 40 < seen.sum() < 600
    assert np.array_equal(weights > 0, seen)
    allowed = TRUST + MORE_PER_PIXEL * np.linalg.norm(moved - pixels, axis=1)
    sure = area / (1 + (error[y, x] / allowed) ** 2)
    assert np.abs(weights - sure * seen).max() < 0.01

    believed, whole = carry_points(
        pixels, own, area, depth, inside, forward, np.empty((0, 0, 2), np.float32), wanted, TRUST
    )
    assert np.array_equal(believed, moved) and np.array_equal(whole, area * seen)
