"""Several pictures side by side in one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np


def tile(pictures: Sequence[Path], path: Path, columns: int) -> None:
    """Writes the pictures, all of one size, as one PNG: row after row from the top left."""
    tiles = [_pixels(picture) for picture in pictures]
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    whole = np.concatenate(rows[::-1], axis=0)  # Blender's rows go upwards
    height, width = whole.shape[:2]
    image = bpy.data.images.new(path.name, width, height, alpha=True)
    try:
        image.pixels.foreach_set(np.ascontiguousarray(whole).ravel())
        image.filepath_raw, image.file_format = str(path), "PNG"
        image.save()
    finally:
        bpy.data.images.remove(image)


def _pixels(path: Path) -> np.ndarray:
    """(H, W, 4) float32, row 0 at the bottom, as the file has them."""
    image = bpy.data.images.load(str(path), check_existing=False)
    try:
        width, height = image.size
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        return pixels.reshape(height, width, 4)
    finally:
        bpy.data.images.remove(image)
