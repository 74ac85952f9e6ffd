"""Takes the pixels of Blender's images as plain sRGB arrays: read on the main thread, converted on any."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.srgb import linear_to_srgb

JOIN_SECONDS = 0.002  # that a step waits for the memory


@dataclass(frozen=True)
class Pixels:
    """An image as Blender holds it. values (H, W, C) float32, row 0 at the bottom; linear: light, not sRGB."""

    values: np.ndarray
    linear: bool

    def to_picture(self, largest: int) -> np.ndarray:
        """(H, W, 4) uint8 sRGB, row 0 on top, no side longer than `largest` pixels. Any thread: it knows no Blender."""
        values = _shrunk(self.values[::-1], largest)
        if self.linear:
            colours = values.shape[2] - 1 if values.shape[2] in (2, 4) else values.shape[2]
            values = np.concatenate([linear_to_srgb(values[..., :colours]), values[..., colours:]], axis=2)
        return _with_four_channels((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8))


def read_pixels(image: Any) -> Iterator[Pixels | None]:
    """In steps, of which the last one yields the pixels, or None where the image has none or is None; the others None.

    The first has Blender load a file that nothing has shown yet, in one piece; the memory for the pixels, which takes
    as long to get as the pixels themselves, is got by a thread meanwhile.
    """
    width, height = image.size if image is not None else (0, 0)
    channels = image.channels if image is not None else 0
    if width == 0 or height == 0 or len(image.pixels) != width * height * channels:
        yield None  # the file is missing, or it is a movie
        return
    values = np.empty(width * height * channels, np.float32)
    room = threading.Thread(target=values.fill, args=(0,), name="motion324 making room", daemon=True)
    room.start()
    while room.is_alive():
        room.join(JOIN_SECONDS)
        yield None
    if len(image.pixels) != len(values):
        yield None  # it was replaced meanwhile
        return
    image.pixels.foreach_get(values)
    # Blender's manual, "Color Management": byte images keep their own encoding, float images hold linear values.
    linear = image.is_float or image.colorspace_settings.is_data or "linear" in image.colorspace_settings.name.lower()
    yield Pixels(values.reshape(height, width, channels), linear)


def _with_four_channels(picture: np.ndarray) -> np.ndarray:
    """(H, W, C) uint8 -> (H, W, 4): grey becomes three colours, and what has no alpha is opaque."""
    channels = picture.shape[2]
    if channels == 4:
        return picture
    full = np.full((*picture.shape[:2], 4), 255, np.uint8)
    full[..., :3] = picture[..., :3] if channels == 3 else picture[..., :1]
    if channels == 2:
        full[..., 3] = picture[..., 1]
    return full


def _shrunk(pixels: np.ndarray, largest: int) -> np.ndarray:
    """The mean over equal blocks, so that texture coordinates stay right."""
    for axis in (0, 1):
        size = pixels.shape[axis]
        if size > largest:
            starts = np.arange(largest) * size // largest
            counts = np.diff(starts, append=size).astype(np.float32)
            shape = [1, 1, 1]
            shape[axis] = largest
            pixels = np.add.reduceat(pixels, starts, axis=axis) / counts.reshape(shape)
    return pixels
