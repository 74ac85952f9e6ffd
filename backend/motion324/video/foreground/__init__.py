"""Finds the foreground: which pixels of each frame show the object. pipeline, from_video and cli import it."""

from motion324.video.foreground.masks import ForegroundMasks
from motion324.video.foreground.provider import check_mask_option, find_masks

__all__ = ["ForegroundMasks", "check_mask_option", "find_masks"]
