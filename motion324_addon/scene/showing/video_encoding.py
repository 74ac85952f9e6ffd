"""Puts pictures side by side in one, and pictures to a video, by Blender's own sequencer and FFmpeg."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.files.write_aside import told_full, written_aside
from motion324.core.inside_blender.operator_words import said_by_operator

from ..exporting.export_size import Expected
from ..exporting.proof import proven, reserve

SMALLEST = 500  # bytes of a video with one grey picture are more


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


def encode_video(pictures: Sequence[Path], path: Path, fps: float) -> None:
    """Writes the pictures, all of one size with even sides, as an H.264 MP4 at `fps` frames per second.

    Raises Motion324Error: "no-pictures", "video-unavailable", "video-failed", "cannot-write" or "disk-full".
    """
    if not pictures:
        raise Motion324Error("no-pictures", f"There are no pictures for '{path}'.", "Render some.", EXIT_USAGE)
    if not bpy.app.build_options.codec_ffmpeg:
        raise Motion324Error(
            "video-unavailable",
            "This Blender was built without FFmpeg, so it cannot write videos.",
            "Choose a folder for a sequence of PNG pictures.",
            EXIT_CANNOT_WRITE,
        )
    scene = bpy.data.scenes.new("Motion324 Encoding")
    try:
        _lay_out(scene, pictures, fps)
        with written_aside(path) as aside:
            aside.parent.mkdir(parents=True, exist_ok=True)
            expected = Expected(_at_most(pictures), SMALLEST, len(pictures))
            reserve(path, aside, expected.bytes)
            scene.render.filepath = str(aside)
            try:
                bpy.ops.render.render(animation=True, scene=scene.name)
            except RuntimeError as error:
                raise _failed(path, said_by_operator(error)) from error
            proven(path, aside, expected)
    finally:
        bpy.data.scenes.remove(scene)


def _at_most(pictures: Sequence[Path]) -> int:
    """Bytes: a video is smaller than its pictures, which lose nothing."""
    return sum(picture.stat().st_size for picture in pictures)


def set_fps(render: bpy.types.RenderSettings, fps: float) -> None:
    """Blender keeps a frame rate as a whole number and a divisor."""
    render.fps = max(1, round(fps))
    render.fps_base = render.fps / fps


def save_as(settings: bpy.types.ImageFormatSettings, file_format: str) -> None:
    """Chooses the format; since 5.0 a format is only there after its kind of medium was chosen."""
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO" if file_format == "FFMPEG" else "IMAGE"
    settings.file_format = file_format


def _lay_out(scene: bpy.types.Scene, pictures: Sequence[Path], fps: float) -> None:
    editor = scene.sequence_editor_create()
    strips: Any = editor.strips if hasattr(editor, "strips") else editor.sequences  # renamed in 4.4
    strip = strips.new_image("pictures", str(pictures[0]), 1, 1)
    for picture in pictures[1:]:
        strip.elements.append(picture.name)
    # Renamed in 5.2; the old name goes in 6.0.
    setattr(strip, "duration" if hasattr(strip, "duration") else "frame_final_duration", len(pictures))
    scene.frame_start, scene.frame_end = 1, len(pictures)
    render = scene.render
    render.resolution_x, render.resolution_y = strip.elements[0].orig_width, strip.elements[0].orig_height
    render.resolution_percentage = 100
    set_fps(render, fps)
    # The pictures are as they should look: nothing is to be done to their colours.
    scene.view_settings.view_transform = "Standard"
    scene.sequencer_colorspace_settings.name = "sRGB"
    save_as(render.image_settings, "FFMPEG")
    render.image_settings.color_mode = "RGB"
    render.ffmpeg.format = "MPEG4"
    render.ffmpeg.codec = "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.ffmpeg.audio_codec = "NONE"


def _failed(path: Path, why: str) -> Motion324Error:
    if full := told_full(path, why):
        return full
    sentence = f"The video '{path}' could not be written: {why}."
    return Motion324Error("video-failed", sentence, "See Blender's console for details.", EXIT_CANNOT_WRITE)
