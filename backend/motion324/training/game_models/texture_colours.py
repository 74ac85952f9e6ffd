"""What colour a texture has at the corners of faces, averaged over the texels that lie near each corner.

F faces, K samples of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.training.game_models.textured_model import TexturedModel

STEPS = 5  # samples lie at the middles of the small triangles that STEPS cuts of each side make
OF_OPACITY = 0.1  # how much the variance of opacity counts beside that of a colour
UNSEEN = 0.02  # opacity: what is inside of such faces does not matter
MOST_LEVELS = 8  # of a texture, each half as fine as the one before


@dataclass(frozen=True)
class CornerColours:
    """values (F, 3, 3): sRGB, 0 to 1, of the corners. areas (F,): of the faces. variance (F,): of what is seen inside.
    opacity (F,): 0 to 1, on average."""

    values: np.ndarray
    areas: np.ndarray
    variance: np.ndarray
    opacity: np.ndarray


Pyramid = list[np.ndarray]  # a texture, and again with half the width and height, and so on; float32, 0 to 1


def corner_colours(model: TexturedModel, pyramids: list[Pyramid]) -> CornerColours:
    """pyramids: of each of the model's textures, as `pyramid` makes them."""
    corners = model.vertices[model.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    areas = np.maximum(areas, 1e-12 * float(areas.max()))
    samples = face_samples(model, pyramids)
    near = places_in_triangle() ** 2
    near = near / near.sum(axis=0)
    values = np.einsum("fkc,ki->fic", samples[..., :3], near)
    opacity = samples[..., 3].mean(axis=1)
    variance = samples.var(axis=1) @ (1, 1, 1, OF_OPACITY)
    return CornerColours(values, areas, np.where(opacity > UNSEEN, variance, 0), opacity)


def places_in_triangle() -> np.ndarray:
    """(K, 3) barycentric: the middles of the STEPS² small triangles, those that point up and those that point down."""
    up = [(i + 1 / 3, j + 1 / 3) for i in range(STEPS) for j in range(STEPS - i)]
    down = [(i + 2 / 3, j + 2 / 3) for i in range(STEPS - 1) for j in range(STEPS - 1 - i)]
    places = np.array(up + down) / STEPS
    return np.c_[places, 1 - places.sum(axis=1)]


def face_samples(model: TexturedModel, pyramids: list[Pyramid]) -> np.ndarray:
    """(F, K, 4) sRGB and opacity, 0 to 1; each the mean of a square of texels about as wide as samples lie apart."""
    places = places_in_triangle()
    result = np.ones((len(model.faces), len(places), 4))
    for index, levels in enumerate(pyramids):
        of_texture = np.flatnonzero(model.texture == index)
        if not len(of_texture):
            continue
        channels = levels[0].shape[-1]
        if model.uv is None:
            result[of_texture, :, :channels] = levels[0].reshape(-1, channels).mean(axis=0)
            continue
        uv = model.uv[of_texture]
        height, width = levels[0].shape[:2]
        texels = (uv - uv[:, :1])[:, 1:] * (width, height)
        covered = np.abs(texels[:, 0, 0] * texels[:, 1, 1] - texels[:, 0, 1] * texels[:, 1, 0]) / 2
        level = np.log2(np.maximum(np.sqrt(covered / len(places)), 1)).round().astype(int).clip(0, len(levels) - 1)
        points = np.einsum("ki,fic->fkc", places, uv)
        for number, picture in enumerate(levels):
            at_level = level == number
            result[of_texture[at_level], :, :channels] = bilinear(picture, points[at_level])
    return result


def pyramid(texture: np.ndarray) -> Pyramid:
    """texture (H, W, 3 or 4) uint8; each texel of a smaller level is the mean of four."""
    levels = [texture.astype(np.float32) / 255]
    while len(levels) < MOST_LEVELS and min(levels[-1].shape[:2]) >= 2:
        last = levels[-1]
        height, width = last.shape[0] // 2 * 2, last.shape[1] // 2 * 2
        levels.append(last[:height, :width].reshape(height // 2, 2, width // 2, 2, -1).mean(axis=(1, 3)))
    return levels


def bilinear(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """picture (H, W, C), points (..., 2): u to the right, v down, repeated beyond 0 to 1 -> (..., C)."""
    height, width = picture.shape[:2]
    x = points[..., 0] * width - 0.5
    y = points[..., 1] * height - 0.5
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right_share, low_share = (x - left)[..., None], (y - top)[..., None]
    upper = picture[top % height, left % width] * (1 - right_share)
    upper += picture[top % height, (left + 1) % width] * right_share
    lower = picture[(top + 1) % height, left % width] * (1 - right_share)
    lower += picture[(top + 1) % height, (left + 1) % width] * right_share
    mixed: np.ndarray = upper * (1 - low_share) + lower * low_share
    return mixed
