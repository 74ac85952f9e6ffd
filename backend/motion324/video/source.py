"""Knows where frames come from, a video file or a folder of images, what it promises, and which of its frames are kept.

They are kept for evenly spaced moments, at a lower rate where there are many, and at a size that the pipeline can use.
"""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from motion324.core.files.input_files import IMAGE_SUFFIXES, images_in
from motion324.video.animated_image import animation_in, is_animated_png, open_video
from motion324.video.reader import VideoReader, bad_video, check_pixels, too_many_pixels

log = logging.getLogger(__name__)

FALLBACK_FPS = 24.0
FrameRange = tuple[int | None, int | None, int]
Tick = Callable[[], None]
# A file's frames count as unevenly spaced if one of them lies this many mean intervals off its even place: less is
# rounding of time stamps, and the jitter of phones, which no one sees.
_UNEVEN = 1.0


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
    if path.suffix.lower() in IMAGE_SUFFIXES and not (animation_in(path) or is_animated_png(path)):
        raise bad_video(
            "video-one-frame",
            f"'{path}' is a single image; a video or a folder of images is needed.",
            "Give the folder that holds the images of all frames.",
        )
    with open_video(path) as reader:
        fps, count = reader.fps, reader.promised
        if isinstance(reader, VideoReader) and reader.promised_by_all:
            count = reader.frames_by_times(tick)
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        log.warning("The video '%s' does not say its frame rate; %g frames per second are assumed.", path, FALLBACK_FPS)
        fps = FALLBACK_FPS
    return Source(path, count if 0 < count < 10**8 else _count_by_reading(path, tick), fps)


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
    with open_video(path) as reader:
        while reader.next() is not None:
            count += 1
            tick()
    return count


def read_image(file: Path) -> np.ndarray:
    """An image file -> (H, W, 3) RGB or (H, W, 4) RGBA, uint8. Raises Motion324Error("video-unreadable")."""
    _check_picture(file)
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


def _check_picture(file: Path) -> None:
    """A few kilobytes of PNG can hold as many pixels as anyone likes; their number is known without decoding them."""
    with warnings.catch_warnings(), contextlib.suppress(OSError, ValueError, SyntaxError):
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(file) as picture:
                check_pixels(file, *picture.size)
        except Image.DecompressionBombError as error:  # beyond Pillow's own limit, which is higher
            raise too_many_pixels(file) from error


def range_text(frames: FrameRange) -> str:
    """A range as people write it, such as 10::2."""
    start, stop, step = frames
    return f"{'' if start is None else start}:{'' if stop is None else stop}:{step}"


def in_range(frames: FrameRange, rate: float | None = None) -> str:
    """ " in the range A:B:STEP at 12 frames per second", or nothing where that is the whole video."""
    which = "" if frames == (None, None, 1) else f" in the range {range_text(frames)}"
    return which if rate is None else f"{which} at {rate:g} frames per second"


def even_frames(times: np.ndarray) -> tuple[np.ndarray, float] | None:
    """times (T,) float64 in seconds, rising -> (indices (T,) of the frames nearest to T even moments, their rate).

    None where the frames are evenly spaced already, or the times are no times (equal, falling, not finite).
    """
    if len(times) < 3 or not np.isfinite(times).all() or (np.diff(times) < 0).any() or times[-1] <= times[0]:
        return None
    even = np.linspace(times[0], times[-1], len(times))
    interval = even[1] - even[0]
    if np.abs(times - even).max() <= _UNEVEN * interval:
        return None
    return nearest_frames(times, even), float(1 / interval)


def rate_of(times: np.ndarray) -> float | None:
    """The mean rate of frames (T,) float64 that are shown at these seconds; None where the times are no times."""
    if len(times) < 3 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        return None
    return float((len(times) - 1) / (times[-1] - times[0]))


def nearest_frames(times: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """(K,) indices of the times (T,), rising, that are nearest to the moments (K,)."""
    after = np.clip(np.searchsorted(times, moments), 1, len(times) - 1)
    return after - (moments - times[after - 1] <= times[after] - moments)


def lower_rate(source: Source, wanted: Wanted, rate: float | None) -> float | None:
    """The rate, where the wanted frames have a higher one; else None, since frames in between are not invented."""
    return rate if rate is not None and rate < 0.999 * source.fps / wanted.step else None


def kept_count(source: Source, wanted: Wanted, rate: float | None) -> int:
    """How many frames are about to be kept at that rate, as `lower_rate` gives it."""
    return (
        wanted.count if rate is None else min(wanted.count, math.ceil(wanted.count * rate * wanted.step / source.fps))
    )


def number_of(index: int, source: Source, wanted: Wanted, rate: float | None) -> int:
    """Which frame of the source the kept frame `index` is, if all last equally long."""
    steps = index
    if rate is not None:  # of two that are as near the earlier one, as EvenMoments takes them
        steps = min(wanted.count - 1, math.ceil(index * source.fps / (wanted.step * rate) - 0.5 - 1e-4))
    return wanted.first + wanted.step * steps


class EvenMoments:
    """Goes through a video's frames as they are decoded; for each moment, the nearest frame that was kept stands.

    rate: moments per second, the first one at the first frame. interval: seconds between two frames, on average.
    chosen: for each moment that has passed, which one of the kept frames it is.
    """

    def __init__(self, rate: float, interval: float) -> None:
        self.chosen: list[int] = []
        self._rate = rate
        self._interval = interval
        self._kept = 0
        self._first = self._kept_at = self._before = -math.inf

    def wants(self, time: float) -> bool:
        """Whether the frame that is shown at `time`, in seconds, is kept."""
        if not (math.isfinite(time) and time > self._before):  # files without time stamps
            time = self._before + self._interval if self._kept else 0.0
        if not self._kept:
            self._first = time
        self._before = time
        taken = False
        while (moment := self._first + len(self.chosen) / self._rate) <= time + self._interval / 2 + 1e-6:
            nearer_before = self._kept > 0 and not taken and moment - self._kept_at < time - moment
            taken = taken or not nearer_before
            self.chosen.append(self._kept if taken else self._kept - 1)
        if taken:
            self._kept += 1
            self._kept_at = time
        return taken


# Frames are reduced while they are decoded, so that a long 4K video fits into memory: to LONGEST_SIDE pixels, and
# further where all of them together would take more than FRAME_BYTES, but never below SMALLEST_SIDE.
LONGEST_SIDE = 1024
SMALLEST_SIDE = 384
FRAME_BYTES = 320 * 2**20
MOST_BYTES = 2**31  # of frames that would still be too large at SMALLEST_SIDE: refused


def reduced_size(width: int, height: int, count: int) -> tuple[int, int]:
    """The (width, height) at which the frames of a clip of `count` of them are kept."""
    longest = max(width, height)
    fits = longest * math.sqrt(FRAME_BYTES / (3.0 * width * height * max(count, 1)))
    side = min(longest, LONGEST_SIDE, max(SMALLEST_SIDE, int(fits)))
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def check_length(source: Source, count: int, size: tuple[int, int]) -> None:
    """Whether so many frames of (width, height) are to be held. Raises Motion324Error("video-too-long")."""
    most = MOST_BYTES // (3 * size[0] * size[1])
    if count > most:
        raise bad_video(
            "video-too-long",
            f"The video '{source.path}' has {count} frames in the range, of which {most} fit into the memory meant for "
            f"them.",
            "Use a part of it (--frames) or fewer frames per second (--video-fps).",
        )


def stacked_alpha(alphas: dict[int, np.ndarray], shape: tuple[int, ...]) -> np.ndarray | None:
    """(T, H, W) uint8 out of masks by index; opaque where a frame has none, None where no frame has one."""
    if not alphas:
        return None
    stacked = np.full(shape, 255, np.uint8)
    for index, alpha in alphas.items():
        stacked[index] = alpha
    return stacked
