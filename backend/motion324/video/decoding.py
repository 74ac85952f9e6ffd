"""A video file or a folder of images -> VideoClip, no larger than the pipeline can use."""

from __future__ import annotations

import logging
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from motion324.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.progress import Progress, silent
from motion324.video.clip import VideoClip

log = logging.getLogger(__name__)

# Frames are reduced while they are decoded, so that a long 4K video fits into memory: to LONGEST_SIDE pixels, and
# further where all of them together would take more than FRAME_BYTES, but never below SMALLEST_SIDE.
LONGEST_SIDE = 1024
SMALLEST_SIDE = 384
FRAME_BYTES = 320 * 2**20
FALLBACK_FPS = 24.0
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
FrameRange = tuple[int | None, int | None, int]


def read_video(path: Path | str, frames: FrameRange = (None, None, 1), progress: Progress = silent) -> VideoClip:
    """The frames start, start + step, ... before stop of a video, or of a folder of images in natural order.

    frames: as in a Python slice, counted from 0; negative numbers count from the end. Frames in between are skipped
    without being kept. Rotation stored in the file is applied; 16-bit images become 8-bit; an alpha channel is kept,
    and what it hides completely is white. clip.warnings says when a file ends before its header says.
    Raises Motion324Error with EXIT_BAD_VIDEO: missing, not a video, nothing decodable, no or only one frame in range.
    """
    path = Path(path)
    clip = read_frames(path, frames, progress)
    if len(clip.frames) == 1:
        raise bad_video(
            "video-one-frame",
            f"The video '{path}' has only 1 frame{_in_range(frames)}; at least 2 are needed.",
            "Choose a longer video or a wider range of frames.",
        )
    return clip


def read_frames(path: Path, frames: FrameRange, progress: Progress) -> VideoClip:
    """read_video without its demand for two frames; masks are read with it, too."""
    if not path.exists():
        raise bad_video("video-missing", f"The video '{path}' does not exist.", "Check the path.")
    source = _open(path)
    wanted = _wanted(source, frames)
    if wanted.count == 0:
        raise bad_video(
            "frames-outside-video",
            f"The range of frames {_as_text(frames)} lies outside of the video '{path}', which has "
            f"{source.count} frames.",
            "Choose frames between 0 and the last one.",
        )
    return _decode(source, wanted, frames, progress)


def bad_video(code: str, sentence: str, hint: str = "") -> Motion324Error:
    return Motion324Error(code, sentence, hint, EXIT_BAD_VIDEO)


@dataclass(frozen=True)
class _Source:
    """count: frames that the file promises; exact for folders."""

    path: Path
    count: int
    fps: float
    images: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Wanted:
    """Frame numbers first, first + step, ...; count of them are promised, the video may hold fewer or more."""

    first: int
    step: int
    count: int
    last: int | None  # not beyond this number; None: to the end


def _open(path: Path) -> _Source:
    if path.is_dir():
        images = tuple(
            sorted((file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES), key=natural_order)
        )
        if not images:
            raise bad_video(
                "video-no-images",
                f"The folder '{path}' holds no images.",
                f"Known kinds are {', '.join(IMAGE_SUFFIXES)}.",
            )
        log.warning("The images of '%s' have no frame rate; %g frames per second are assumed.", path, FALLBACK_FPS)
        return _Source(path, len(images), FALLBACK_FPS, images)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise bad_video(
            "video-one-frame",
            f"'{path}' is a single image; a video or a folder of images is needed.",
            "Give the folder that holds the images of all frames.",
        )
    capture = _capture(path)
    try:
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        capture.release()
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        log.warning("The video '%s' does not say its frame rate; %g frames per second are assumed.", path, FALLBACK_FPS)
        fps = FALLBACK_FPS
    return _Source(path, count if 0 < count < 10**8 else _count_by_reading(path), fps)


def natural_order(file: Path) -> list[tuple[int, int, str]]:
    """A sort key: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", file.name.lower())
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts if part]


def _capture(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened() or not capture.grab():
        capture.release()
        raise bad_video(
            "video-unreadable",
            f"The file '{path}' cannot be read as a video: no frame can be decoded.",
            "Check that it is complete; MP4 with H.264 is read everywhere.",
        )
    capture.release()
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def _count_by_reading(path: Path) -> int:
    capture = _capture(path)
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def _wanted(source: _Source, frames: FrameRange) -> _Wanted:
    start, stop, step = frames
    count = source.count
    if not source.images and ((start or 0) < 0 or (stop or 0) < 0):
        count = _count_by_reading(source.path)  # headers are often off by a few, and so would be the end
    promised = range(*slice(start, stop, step).indices(count))
    open_end = stop is None and not source.images
    last = None if open_end else (stop - 1 if stop is not None and stop >= 0 else promised.stop - 1)
    return _Wanted(promised.start, step, len(promised), last)


def _decode(source: _Source, wanted: _Wanted, frames: FrameRange, progress: Progress) -> VideoClip:
    kept: np.ndarray | None = None
    alphas: dict[int, np.ndarray] = {}
    numbers: list[int] = []
    size = (0, 0)
    progress("read", 0, wanted.count)
    for number, image in _images(source, wanted, progress):
        if kept is None:
            size = _reduced_size(image.shape[1], image.shape[0], wanted.count)
            if size != (image.shape[1], image.shape[0]):
                log.info("%s: frames are reduced to %d x %d pixels", source.path, *size)
            kept = np.empty((wanted.count, size[1], size[0], 3), np.uint8)
        if len(numbers) == len(kept):
            kept = np.concatenate([kept, np.empty((max(8, len(kept) // 4), *kept.shape[1:]), np.uint8)])
        colour, alpha = _reduced(image, size)
        kept[len(numbers)] = colour
        if alpha is not None:
            alphas[len(numbers)] = alpha
        numbers.append(number)
        progress("read", min(len(numbers), wanted.count), wanted.count)
    if kept is None:
        raise bad_video(
            "frames-outside-video",
            f"No frame of the video '{source.path}' can be decoded{_in_range(frames)}.",
            "Choose frames between 0 and the last one, or check that the file is complete.",
        )
    progress("read", wanted.count, wanted.count)
    kept = kept[: len(numbers)]
    return VideoClip(
        frames=kept,
        fps=source.fps / wanted.step,
        frame_numbers=np.array(numbers, dtype=np.int64),
        alpha=_stacked_alpha(alphas, kept.shape[:3]),
        name=source.path.name,
        warnings=_warnings(source, wanted, len(numbers)),
    )


def _images(source: _Source, wanted: _Wanted, progress: Progress) -> Iterator[tuple[int, np.ndarray]]:
    """(frame number, image (H, W, 3 or 4) uint8 in RGB or RGBA)."""
    if source.images:
        last = source.count - 1 if wanted.last is None else min(wanted.last, source.count - 1)
        first_shape: tuple[int, ...] | None = None
        for number in range(wanted.first, last + 1, wanted.step):
            image = read_image(source.images[number])
            first_shape = first_shape or image.shape[:2]
            if image.shape[:2] != first_shape:
                raise bad_video(
                    "video-sizes-differ",
                    f"The image '{source.images[number]}' has {image.shape[1]} x {image.shape[0]} pixels, but the ones "
                    f"before it have {first_shape[1]} x {first_shape[0]}.",
                    "All frames must have the same size.",
                )
            yield number, image
        return
    capture = _capture(source.path)
    try:
        number = 0
        while (wanted.last is None or number <= wanted.last) and capture.grab():
            if number >= wanted.first and (number - wanted.first) % wanted.step == 0:
                decoded, image = capture.retrieve()
                if not decoded:
                    break
                yield number, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            else:
                progress("read", 0 if number < wanted.first else (number - wanted.first) // wanted.step, wanted.count)
            number += 1
    finally:
        capture.release()


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


def _reduced_size(width: int, height: int, count: int) -> tuple[int, int]:
    longest = max(width, height)
    fits = longest * math.sqrt(FRAME_BYTES / (3.0 * width * height * max(count, 1)))
    side = min(longest, LONGEST_SIDE, max(SMALLEST_SIDE, int(fits)))
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def _reduced(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    """An RGB or RGBA image at (width, height) -> RGB and, if it had one, alpha."""
    same = size == (image.shape[1], image.shape[0])
    if image.shape[2] == 3:
        return (image if same else cv2.resize(image, size, interpolation=cv2.INTER_AREA)), None
    colour, alpha = image[..., :3], image[..., 3]
    if not same:  # colours count by how visible they are, or what is hidden would bleed in
        weight = alpha.astype(np.float32)[..., None] / 255.0
        small = cv2.resize(np.concatenate([colour * weight, weight], axis=2), size, interpolation=cv2.INTER_AREA)
        colour = np.clip(small[..., :3] / np.maximum(small[..., 3:], 1e-4) + 0.5, 0, 255).astype(np.uint8)
        alpha = (small[..., 3] * 255.0 + 0.5).astype(np.uint8)
    return np.where(alpha[..., None] > 0, colour, np.uint8(255)), alpha


def _stacked_alpha(alphas: dict[int, np.ndarray], shape: tuple[int, ...]) -> np.ndarray | None:
    if not alphas:
        return None
    stacked = np.full(shape, 255, np.uint8)
    for index, alpha in alphas.items():
        stacked[index] = alpha
    return stacked


def _warnings(source: _Source, wanted: _Wanted, decoded: int) -> tuple[dict[str, str], ...]:
    if not _is_cut_short(source, wanted, decoded):
        return ()
    sentence = (
        f"The video '{source.path}' is damaged or cut short: {decoded} of about {wanted.count} frames can be decoded "
        "and are used."
    )
    log.warning(sentence)
    return ({"code": "video-cut-short", "sentence": sentence},)


def _is_cut_short(source: _Source, wanted: _Wanted, decoded: int) -> bool:
    missing = (wanted.count - decoded) * wanted.step
    if source.images or missing <= 0:
        return False
    if source.path.suffix.lower() in (".mp4", ".mov", ".m4v"):
        # Their edit lists may rightly hide a good part of the frames that the header counts.
        return _ends_inside_a_box(source.path) or missing > source.count / 2
    return missing > max(2, 0.02 * source.count)  # other headers are off by a frame or two in sound files, too


def _ends_inside_a_box(path: Path) -> bool:
    """Whether an MP4 or MOV file (ISO 14496-12: boxes of size, type, content) is shorter than its boxes say."""
    length = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while position + 8 <= length:
            file.seek(position)
            size, kind = struct.unpack(">I4s", file.read(8))
            if size == 1 and position + 16 <= length:
                (size,) = struct.unpack(">Q", file.read(8))
            if size == 0 or not kind.strip(b"\0"):
                return False  # the last box reaches to the end
            position += max(size, 8)
    return position > length


def _as_text(frames: FrameRange) -> str:
    start, stop, step = frames
    return f"{'' if start is None else start}:{'' if stop is None else stop}:{step}"


def _in_range(frames: FrameRange) -> str:
    return "" if frames == (None, None, 1) else f" in the range {_as_text(frames)}"
