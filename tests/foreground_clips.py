"""Small clips with known masks: a two-coloured creature that waves one arm, in front of whatever a test needs."""

from __future__ import annotations

import cv2
import numpy as np

SIZE = 256


def creature(index: int, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Frame `index` -> its colours (H, W, 3) float32 in 0..255 and its coverage (H, W) float32 with soft edges."""
    scale = size / 256 * 4  # drawn four times as large, then reduced: soft edges
    colour = np.zeros((4 * size, 4 * size, 3), np.uint8)
    mask = np.zeros((4 * size, 4 * size), np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        return round(x * scale), round(y * scale)

    def draw(shape: str, *where: object, paint: tuple[int, int, int]) -> None:
        for canvas, value in ((colour, paint), (mask, 255)):
            getattr(cv2, shape)(canvas, *where, value, **({} if shape == "fillConvexPoly" else {"thickness": -1}))

    angle = 0.7 * np.sin(index * 0.9)
    shift = 4 * np.sin(index * 0.6)
    hand = (168 + 34 * np.cos(angle) + shift, 120 - 50 * np.sin(angle) - 20)
    arm = np.array([at(150 + shift, 110), at(150 + shift, 128), at(hand[0], hand[1] + 6), at(hand[0], hand[1] - 6)])
    draw("fillConvexPoly", arm, paint=(60, 120, 200))
    draw("ellipse", at(128 + shift, 140), at(34, 50), 0, 0, 360, paint=(190, 90, 40))
    draw("circle", at(128 + shift, 80), round(24 * scale), paint=(210, 150, 60))
    for leg in (110, 146):
        draw("rectangle", at(leg - 8 + shift, 170), at(leg + 8 + shift, 220), paint=(120, 60, 30))
    colour = cv2.resize(colour.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    coverage = cv2.resize(mask.astype(np.float32) / 255, (size, size), interpolation=cv2.INTER_AREA)
    return colour, coverage


def clip_over(background: np.ndarray, count: int = 8, quality: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """background (H, W, 3) or (T, H, W, 3) in 0..255 -> frames (T, H, W, 3) uint8 after JPEG, truth (T, H, W) bool."""
    frames, truth = [], []
    size = background.shape[-2]
    for index in range(count):
        colour, coverage = creature(index, size)
        behind = background[index] if background.ndim == 4 else background
        # `colour` is premultiplied by its coverage, as drawn on black
        image = np.clip(colour + behind * (1 - coverage[..., None]), 0, 255).astype(np.uint8)
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        frames.append(cv2.imdecode(data, cv2.IMREAD_COLOR))
        truth.append(coverage > 0.5)
    return np.stack(frames), np.stack(truth)


def plain(colour: tuple[int, int, int], size: int = SIZE) -> np.ndarray:
    return np.full((size, size, 3), colour, np.float32)


def scenery(seed: int = 0, size: int = SIZE) -> np.ndarray:
    """A soft, colourful picture (H, W, 3) float32, as of things far away."""
    noise = np.random.default_rng(seed).uniform(60, 230, (7, 7, 3)).astype(np.float32)
    return np.clip(cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC), 0, 255)


def overlap(masks: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(T,) intersection over union of each frame."""
    solid = masks > 0.5
    return (solid & truth).sum(axis=(1, 2)) / np.maximum((solid | truth).sum(axis=(1, 2)), 1)


def rough_guess(truth: np.ndarray) -> np.ndarray:
    """What a network of low resolution might say of `truth`: blurred, a little too large."""
    grown = [cv2.dilate(mask.astype(np.float32), np.ones((5, 5), np.uint8)) for mask in truth]
    return np.stack([cv2.GaussianBlur(mask, (0, 0), 3) for mask in grown])
