"""Shows small pictures of files, and of pixels, in the sidebar."""

from __future__ import annotations

from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np

LARGEST = 256  # pixels

_previews: bpy.utils.previews.ImagePreviewCollection | None = None


def icon_of_file(path: str) -> int:
    """The icon of a picture, or of a frame of a video that Blender chooses; 0 where there is none.

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


def keep_pixels(name: str, pixels: np.ndarray) -> None:
    """Makes pixels (H, W, 4) float32 in [0, 1], sRGB, row 0 on top, the icon of that name, no larger than LARGEST."""
    if _previews is None:
        return
    step = -(-max(pixels.shape[:2]) // LARGEST)
    small = pixels[::step, ::step][::-1]
    preview = _previews[name] if name in _previews else _previews.new(name)
    preview.image_size = (small.shape[1], small.shape[0])
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(small, np.float32).ravel())


def icon_of(name: str) -> int:
    """The icon that `keep_pixels` made; 0 where there is none."""
    return _previews[name].icon_id if _previews is not None and name in _previews else 0


def register() -> None:
    global _previews
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews = None
