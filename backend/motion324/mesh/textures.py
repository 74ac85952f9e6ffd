"""Textures of mesh files as arrays."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import numpy as np
from PIL import Image

log = logging.getLogger(__name__)

# Larger textures are halved until they fit: no video shows that much, and 8192 x 8192 takes 256 MiB.
LONGEST_SIDE = 4096


def texture_from_file(path: Path) -> np.ndarray | None:
    """(H, W, 4) uint8 sRGB, row 0 on top; None, with a warning in the log, where the file cannot be read."""
    try:
        return texture_from_bytes(path.read_bytes(), str(path))
    except OSError as error:
        log.warning("The texture '%s' cannot be read (%s); the material's plain colour is used.", path, error)
        return None


def texture_from_bytes(data: bytes, name: str) -> np.ndarray | None:
    """An image file's bytes -> (H, W, 4) uint8 sRGB, or None with a warning in the log."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return texture_from_image(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        log.warning("The texture '%s' cannot be decoded (%s); the material's plain colour is used.", name, error)
        return None


def texture_from_image(image: Image.Image) -> np.ndarray:
    """Any PIL image -> (H, W, 4) uint8 sRGB, its longest side at most LONGEST_SIDE."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64)))
    factor = 1
    while max(image.size) > LONGEST_SIDE * factor:
        factor *= 2
    if factor > 1:
        image = image.convert("RGBA").reduce(factor)
    return np.ascontiguousarray(np.asarray(image.convert("RGBA")))


def _eight_bits(values: np.ndarray) -> np.ndarray:
    top = 65535.0 if values.max(initial=0.0) > 255.0 else 255.0
    return np.clip(values * (255.0 / top), 0, 255).astype(np.uint8)
