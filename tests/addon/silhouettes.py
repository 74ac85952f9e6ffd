"""Silhouettes through the scene's camera, compared with a video of something before white."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import bpy
import numpy as np
import pytest


def overlaps(addon, video: Path, frames: Iterable[tuple[int, int]], folder: Path) -> list[float]:
    """Intersection over union for each (scene's frame, video's frame from 0). Skips where Workbench cannot render."""
    try:
        addon("scene.showing.turntable").check_renderer("WORKBENCH")
    except Exception as error:
        pytest.skip(str(error))
    scene = bpy.context.scene
    scene.render.engine, scene.render.film_transparent = "BLENDER_WORKBENCH", True
    shown = bpy.data.scenes.new("Video")
    editor = shown.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_movie("video", str(video), 1, 1)
    first = strip.content_start if hasattr(strip, "content_start") else strip.frame_start  # renamed in 5.2
    shown.render.resolution_x, shown.render.resolution_y = scene.render.resolution_x, scene.render.resolution_y
    shown.view_settings.view_transform = "Standard"
    found = []
    for frame, number in frames:
        mesh = _rendered(scene, frame, folder)[..., 3] > 0.5
        thing = _rendered(shown, int(first) + number, folder)[..., :3].min(axis=2) < 0.9
        found.append(float((mesh & thing).sum() / (mesh | thing).sum()))
    bpy.data.scenes.remove(shown)
    return found


def _rendered(scene: bpy.types.Scene, frame: int, folder: Path) -> np.ndarray:
    """(H, W, 4) float32, row 0 on top."""
    path = folder / "picture.png"
    scene.frame_set(frame)
    scene.render.filepath, scene.render.image_settings.color_mode = str(path), "RGBA"
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path), check_existing=False)
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]
