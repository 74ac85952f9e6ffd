"""The first frame of the video with its mask, as a picture for the sidebar and for Blender's Image Editor."""

from __future__ import annotations

import bpy
import numpy as np

NAME = "Motion324 Mask Preview"
TINT = np.array([0.65, 0.1, 0.1], np.float32)  # of what the mask leaves out
OUTLINE = np.array([1.0, 0.6, 0.15], np.float32)  # the colour of Blender's selections


def compose(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """frame (H, W, 3) uint8 sRGB, mask (H, W) in [0, 1] -> (H, W, 4) float32 in [0, 1], sRGB.

    The object keeps its colours, the rest is dim and reddish, and a line goes along where the mask is one half.
    """
    colours = frame.astype(np.float32) / 255
    grey = colours.mean(axis=2, keepdims=True)
    dim = 0.4 * grey + 0.6 * TINT * (0.3 + 0.7 * grey)
    share = mask.astype(np.float32)[..., None]
    picture = np.ones((*mask.shape, 4), np.float32)
    picture[..., :3] = share * colours + (1 - share) * dim
    picture[_outline(mask > 0.5, max(1, round(min(mask.shape) / 250))), :3] = OUTLINE
    return picture


def show_as_image(picture: np.ndarray) -> bpy.types.Image:
    """Puts a picture of `compose` into the file's image NAME, and into the Image Editors that show none or that one."""
    height, width = picture.shape[:2]
    image = bpy.data.images.get(NAME)
    if image is None:
        image = bpy.data.images.new(NAME, width, height, alpha=False)
    elif tuple(image.size) != (width, height):
        image.scale(width, height)
    image.pixels.foreach_set(np.ascontiguousarray(picture[::-1]).ravel())
    image.update()
    for space in image_editors():
        if space.image is None or space.image == image:
            space.image = image
    return image


def image_editors() -> list[bpy.types.SpaceImageEditor]:
    """Those of all windows."""
    areas = (area for window in bpy.context.window_manager.windows for area in window.screen.areas)
    return [area.spaces.active for area in areas if area.type == "IMAGE_EDITOR"]


def _outline(solid: np.ndarray, radius: int) -> np.ndarray:
    """The pixels outside of `solid` that lie within `radius` of it, along the axes."""
    grown = solid.copy()
    for _ in range(radius):
        wider = grown.copy()
        wider[1:] |= grown[:-1]
        wider[:-1] |= grown[1:]
        wider[:, 1:] |= grown[:, :-1]
        wider[:, :-1] |= grown[:, 1:]
        grown = wider
    return grown & ~solid
