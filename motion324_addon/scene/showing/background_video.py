"""A video, or a folder of pictures, as the background of a camera, frame by frame with an animation."""

from __future__ import annotations

import re
from pathlib import Path

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.core.image_files import images_in

from ..playing import fcurves
from ..playing.kept_note import Source

_LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)


def load(path: Path) -> tuple[bpy.types.Image, tuple[int, int]]:
    """The video as Blender's image, and its width and height in pixels.

    Raises Motion324Error: "video-missing", "overlay-video" where Blender cannot show it, or "overlay-pictures" where
    pictures are not numbered as Blender needs it.
    """
    if not path.exists():
        sentence = f"The video '{path}' is not there any more."
        raise Motion324Error("video-missing", sentence, "Put it back, or animate again.", EXIT_BAD_VIDEO)
    if path.is_dir():
        files = images_in(path)
        picture_numbers(path)
        return _image(files[0], "SEQUENCE" if len(files) > 1 else "FILE")
    return _image(path, "MOVIE")


def picture_numbers(folder: Path) -> list[int]:
    """The numbers in the names of the folder's pictures, in their order.

    Blender finds the pictures of a sequence by these: names may differ in their last number only. Raises
    Motion324Error("overlay-pictures").
    """
    names = [file.name for file in images_in(folder)]
    if len(names) == 1:
        return [1]
    found = [_LAST_NUMBER.fullmatch(name) for name in names]
    if not names or not all(found):
        raise _unnumbered(folder)
    parts = [match.groups() for match in found if match is not None]
    head, first, tail = parts[0]
    if any(
        name != f"{head}{int(number):0{len(first)}d}{tail}" for name, (_, number, _) in zip(names, parts, strict=True)
    ):
        raise _unnumbered(folder)
    return [int(number) for _, number, _ in parts]


def show(data: bpy.types.Camera, image: bpy.types.Image, source: Source, opacity: float, in_front: bool) -> None:
    """Makes the image the camera's one background, at every whole frame with the picture that the animation follows."""
    _clear(data)
    background = data.background_images.new()
    background.source, background.image = "IMAGE", image
    background.alpha, background.show_expanded = opacity, False
    background.display_depth = "FRONT" if in_front else "BACK"
    background.frame_method = "FIT"
    data.show_background_images = True
    if image.source == "FILE":
        return
    frames, offsets = frame_offsets(source)
    user = background.image_user
    user.use_auto_refresh, user.use_cyclic = True, False
    # Blender shows the picture number (scene's frame - start + 1) + offset; a movie's first has the number 1.
    user.frame_start, user.frame_duration = int(frames[0]), len(frames)
    user.frame_offset = int(offsets[0])
    if (offsets != offsets[0]).any():
        _step(data, frames, offsets)


def frame_offsets(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """The animation's whole frames in the scene (S,), and the offset (S,) that has Blender show the right picture."""
    frames, numbers = video_frames(source)
    if source.video.is_dir():
        known = np.array(picture_numbers(source.video))
        numbers = known[np.clip(numbers, 0, len(known) - 1)]
    else:
        numbers = numbers + 1
    return frames, numbers - (frames - frames[0] + 1)


def video_frames(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """The animation's whole frames in the scene (S,), and the video's frame (S,), from 0, that each shows best."""
    first, last = source.timing.whole_frames
    frames = np.arange(first, last + 1)
    places = (frames - source.timing.start) / source.timing.step
    numbers = np.interp(places, np.arange(len(source.frame_numbers)), source.frame_numbers)
    return frames, np.round(numbers).astype(int)


def _step(data: bpy.types.Camera, frames: np.ndarray, offsets: np.ndarray) -> None:
    """Keys for the offset: the video's step or rate is not the scene's, and a background has neither."""
    changes = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
    fcurves.write_curve(
        fcurves.editable_curves_of(data),
        "background_images[0].image_user.frame_offset",
        frames[changes].tolist(),
        offsets[changes].tolist(),
        interpolation=fcurves.CONSTANT,
    )


def _clear(data: bpy.types.Camera) -> None:
    curves = fcurves.editable_curves_of(data) if data.animation_data and data.animation_data.action else ()
    for curve in [each for each in curves if each.data_path.startswith("background_images")]:
        curves.remove(curve)
    images = [background.image for background in data.background_images if background.image]
    for background in data.background_images:
        background.image = None  # `clear` alone would leave it counted as used
    data.background_images.clear()
    for image in images:
        if image.users == 0:
            bpy.data.images.remove(image)


def _image(path: Path, kind: str) -> tuple[bpy.types.Image, tuple[int, int]]:
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise _unreadable(path) from error
    width, height = image.size  # before it is a sequence, whose size is that of a picture with the number 1
    if not (width and height):
        bpy.data.images.remove(image)
        raise _unreadable(path)
    image.source = kind
    return image, (width, height)


def _unreadable(path: Path) -> Motion324Error:
    return Motion324Error(
        "overlay-video",
        f"This Blender cannot show '{path}' in the background of a camera.",
        "Convert it to an MP4 with H.264, or to PNG pictures.",
        EXIT_BAD_VIDEO,
    )


def _unnumbered(folder: Path) -> Motion324Error:
    return Motion324Error(
        "overlay-pictures",
        f"The pictures in '{folder}' have names that Blender cannot take for one sequence.",
        "Name them alike but for a number, such as frame_0001.png, frame_0002.png.",
        EXIT_BAD_VIDEO,
    )
