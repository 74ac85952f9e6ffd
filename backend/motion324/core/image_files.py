"""Finds the images of a folder, in natural order: frame_2 before frame_10. Needs the standard library only."""

from __future__ import annotations

import re
from pathlib import Path

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def images_in(folder: Path) -> list[Path]:
    """The images of a folder in natural order; other files are left alone. Raises OSError."""
    return sorted((file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES), key=natural_order)


def natural_order(file: Path) -> list[tuple[int, int, str]]:
    """A sort key: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", file.name.lower())
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts if part]
