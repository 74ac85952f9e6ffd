"""Finding the foreground: which pixels of each frame show the object."""

from motion324.video.foreground.choose import find_masks
from motion324.video.foreground.masks import ForegroundMasks

__all__ = ["ForegroundMasks", "find_masks"]
