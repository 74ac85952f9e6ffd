"""Small pictures of files, and of pixels, for the sidebar."""

from __future__ import annotations

from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np

_previews: bpy.utils.previews.ImagePreviewCollection | None = None


def icon_of_file(path: str) -> int:
    """The icon of a picture, or of a video's first frame; 0 where there is none.

    Blender reads the file in a job of its own when the icon is drawn first, so this takes no time.
    """
    if _previews is None:
        return 0
    try:
        key = f"{path}?{Path(path).stat().st_mtime_ns}"
    except OSError:
        return 0
    if key not in _previews:
        is_movie = Path(path).suffix.lower() in bpy.path.extensions_movie
        _previews.load(key, path, "MOVIE" if is_movie else "IMAGE")
    return _previews[key].icon_id


def icon_of_pixels(key: str, pixels: np.ndarray) -> int:
    """The icon of pixels (H, W, 4) float32 in [0, 1], sRGB, row 0 on top; `key` names these very pixels."""
    if _previews is None:
        return 0
    if key not in _previews:
        preview = _previews.new(key)
        height, width = pixels.shape[:2]
        preview.image_size = (width, height)
        preview.image_pixels_float.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    return _previews[key].icon_id


def register() -> None:
    global _previews
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews = None
