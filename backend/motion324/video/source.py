"""Where frames come from: a video file or a folder of images, what it promises, and which frames of it are wanted."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from motion324.core.image_files import IMAGE_SUFFIXES, images_in
from motion324.video.reader import VideoReader, bad_video

log = logging.getLogger(__name__)

FALLBACK_FPS = 24.0
_START = 1 << 16  # bytes of an image file, in which it says that it is animated
FrameRange = tuple[int | None, int | None, int]
Tick = Callable[[], None]


@dataclass(frozen=True)
class Source:
    """count: frames that the file promises; exact for folders."""

    path: Path
    count: int
    fps: float
    images: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """Frame numbers first, first + step, ...; count of them are promised, the video may hold fewer or more."""

    first: int
    step: int
    count: int
    last: int | None  # not beyond this number; None: to the end


def open_range(path: Path, frames: FrameRange, tick: Tick) -> tuple[Source, Wanted]:
    """What lies at `path`, and which of its frames the range means.

    frames: as in a Python slice. tick: called often while frames have to be counted.
    Raises Motion324Error with EXIT_BAD_VIDEO: missing, not a video, nothing decodable, no frame in range.
    """
    if not path.exists():
        raise bad_video("video-missing", f"The video '{path}' does not exist.", "Check the path.")
    source = _open(path, tick)
    wanted = _wanted(source, frames, tick)
    if wanted.count == 0:
        raise bad_video(
            "frames-outside-video",
            f"The range of frames {range_text(frames)} lies outside of the video '{path}', which has "
            f"{source.count} frames.",
            "Choose frames between 0 and the last one.",
        )
    return source, wanted


def _open(path: Path, tick: Tick) -> Source:
    if path.is_dir():
        images = tuple(images_in(path))
        if not images:
            raise bad_video(
                "video-no-images",
                f"The folder '{path}' holds no images.",
                f"Known kinds are {', '.join(IMAGE_SUFFIXES)}.",
            )
        log.warning("The images of '%s' have no frame rate; %g frames per second are assumed.", path, FALLBACK_FPS)
        return Source(path, len(images), FALLBACK_FPS, images)
    if path.suffix.lower() in IMAGE_SUFFIXES and (animated := _animation_in(path)) != "apng":
        if animated:
            raise bad_video(
                "video-unreadable",
                f"The video '{path}' is an animated WebP, which cannot be decoded here.",
                "Convert it to an animated PNG or GIF, to an MP4, or to a folder of images.",
            )
        raise bad_video(
            "video-one-frame",
            f"'{path}' is a single image; a video or a folder of images is needed.",
            "Give the folder that holds the images of all frames.",
        )
    with VideoReader(path) as reader:
        fps, count = reader.fps, reader.promised
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        log.warning("The video '%s' does not say its frame rate; %g frames per second are assumed.", path, FALLBACK_FPS)
        fps = FALLBACK_FPS
    return Source(path, count if 0 < count < 10**8 else _count_by_reading(path, tick), fps)


def _animation_in(path: Path) -> str:
    """ "apng" or "webp" where an image file holds several pictures, else "": both have a mark near their beginning."""
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError:
        return ""
    if start.startswith(b"\x89PNG") and b"acTL" in start.partition(b"IDAT")[0]:
        return "apng"
    animated = start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X" and start[20:21] and start[20] & 2
    return "webp" if animated else ""


def _wanted(source: Source, frames: FrameRange, tick: Tick) -> Wanted:
    start, stop, step = frames
    count = source.count
    if not source.images and ((start or 0) < 0 or (stop or 0) < 0):
        count = _count_by_reading(source.path, tick)  # headers are often off by a few, and so would be the end
    promised = range(*slice(start, stop, step).indices(count))
    open_end = stop is None and not source.images
    last = None if open_end else (stop - 1 if stop is not None and stop >= 0 else promised.stop - 1)
    return Wanted(promised.start, step, len(promised), last)


def _count_by_reading(path: Path, tick: Tick) -> int:
    count = 0
    with VideoReader(path) as reader:
        while reader.next() is not None:
            count += 1
            tick()
    return count


def read_image(file: Path) -> np.ndarray:
    """An image file -> (H, W, 3) RGB or (H, W, 4) RGBA, uint8. Raises Motion324Error("video-unreadable")."""
    # JPEG: with its EXIF rotation, which IMREAD_UNCHANGED ignores. Through imdecode for paths beyond ASCII on Windows.
    jpeg = file.suffix.lower() in (".jpg", ".jpeg")
    try:
        image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR if jpeg else cv2.IMREAD_UNCHANGED)
    except (cv2.error, OSError) as error:
        log.info("Reading %s failed: %s", file, error)
        image = None
    if image is None:
        raise bad_video("video-unreadable", f"The image '{file}' cannot be read.", "Replace it or take it away.")
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype != np.uint8:
        image = np.clip(np.nan_to_num(image.astype(np.float32)) * 255.0 + 0.5, 0, 255).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    if image.shape[2] == 2:  # grey and alpha
        return np.ascontiguousarray(image[..., [0, 0, 0, 1]])
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def range_text(frames: FrameRange) -> str:
    """A range as people write it, such as 10::2."""
    start, stop, step = frames
    return f"{'' if start is None else start}:{'' if stop is None else stop}:{step}"


def in_range(frames: FrameRange, rate: float | None = None) -> str:
    """ " in the range A:B:STEP at 12 frames per second", or nothing where that is the whole video."""
    which = "" if frames == (None, None, 1) else f" in the range {range_text(frames)}"
    return which if rate is None else f"{which} at {rate:g} frames per second"
