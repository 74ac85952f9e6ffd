"""Pixels of Blender's images as plain sRGB arrays."""

from __future__ import annotations

import bpy
import numpy as np

LARGEST_SIDE = 2048  # pixels; more brings nothing to a video's resolution and costs time on the wire


def read_image(image: bpy.types.Image) -> np.ndarray | None:
    """(H, W, 4) uint8 sRGB, row 0 on top, no side longer than LARGEST_SIDE; None where the image has no pixels."""
    width, height = image.size
    if width == 0 or height == 0 or len(image.pixels) != width * height * image.channels:
        return None  # the file is missing, or it is a movie
    raw = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(raw)
    pixels = _with_four_channels(raw.reshape(height, width, image.channels)[::-1])
    # Blender's manual, "Color Management": byte images keep their own encoding, float images hold linear values.
    if image.is_float or image.colorspace_settings.is_data or "linear" in image.colorspace_settings.name.lower():
        pixels[..., :3] = to_srgb(pixels[..., :3])
    pixels = _shrunk(pixels, LARGEST_SIDE)
    return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB (IEC 61966-2-1), any shape, values in [0, 1]."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def _with_four_channels(pixels: np.ndarray) -> np.ndarray:
    height, width, channels = pixels.shape
    full = np.ones((height, width, 4), np.float32)
    full[..., :3] = pixels[..., :3] if channels >= 3 else pixels[..., :1]
    if channels in (2, 4):
        full[..., 3] = pixels[..., -1]
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
