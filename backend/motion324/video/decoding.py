"""Reads a video file or a folder of images as a VideoClip, no larger than the pipeline can use."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.files.frame_storage import pictures_taken, room_for_pictures
from motion324.core.progress import Progress, silent
from motion324.video.animated_image import open_video
from motion324.video.containers import ends_inside_a_box, is_boxed
from motion324.video.picture import Picture, StillPicture
from motion324.video.reader import bad_video
from motion324.video.source import (
    EvenMoments,
    FrameRange,
    Source,
    Wanted,
    check_length,
    even_frames,
    in_range,
    kept_count,
    lower_rate,
    open_range,
    rate_of,
    read_image,
    reduced_size,
)

log = logging.getLogger(__name__)

_RATE_TOLERANCE = 0.02  # of a frame rate; containers round times to milliseconds

Wants = Callable[[int, float], bool]  # of a frame's number, and when it is shown in seconds: whether it is kept


def read_video(
    path: Path | str,
    frames: FrameRange = (None, None, 1),
    progress: Progress = silent,
    rate: float | None = None,
    reduce: bool = True,
) -> VideoClip:
    """The frames start, start + step, ... before stop of a video, or of a folder of images in natural order.

    frames: as in a Python slice, counted from 0; negative numbers count from the end. Frames in between are skipped
    without being kept. rate: of those, so many per second are kept, the nearest to evenly spaced moments; a higher one
    than the video's changes nothing but clip.warnings. Rotation, mirroring and the shape of pixels that the file tells
    are applied; more than 8 bits become 8, HDR becomes sRGB, of interlaced frames one field is used; an alpha channel
    is kept, and what it hides completely is white. Where frames are unevenly spaced in time,
    some are repeated and others left out, so that as many are evenly spaced: frame_numbers tells which. clip.warnings
    says all that, and when a file ends before its header says. reduce: large frames become smaller, as reduced_size
    says.
    Raises Motion324Error with EXIT_BAD_VIDEO: missing, not a video, nothing decodable, no or only one frame in range.
    """
    path = Path(path)
    clip = read_frames(path, frames, progress, rate, reduce)
    if len(clip.frames) == 1:
        raise bad_video(
            "video-one-frame",
            f"The video '{path}' has only 1 frame{in_range(frames, rate)}; at least 2 are needed.",
            "Choose a longer video or a wider range of frames.",
        )
    return clip


def read_frames(
    path: Path, frames: FrameRange, progress: Progress, rate: float | None = None, reduce: bool = True
) -> VideoClip:
    """read_video without its demand for two frames."""
    source, wanted = open_range(path, frames, lambda: progress("read", 0, 0))
    lower = lower_rate(source, wanted, rate)
    if lower is None:
        clip, times = _decode(source, wanted, frames, progress, reduce=reduce)
        clip = _evenly_spaced(clip, times)
        return clip if rate is None else _with_warning(clip, *_rate_is_not_raised(source, wanted, rate))
    moments = EvenMoments(lower, wanted.step / source.fps)
    count = kept_count(source, wanted, lower)
    clip, _ = _decode(source, wanted, frames, progress, lambda number, time: moments.wants(time), count, reduce)
    return _at_moments(clip, np.array(moments.chosen), lower)


def read_as_counted(path: Path, progress: Progress) -> VideoClip:
    """All frames once, whatever the times at which they are shown: frame k of the clip is frame k of the file.

    For masks, which belong to the frames of a video one by one. Raises as read_video does, but for a single frame.
    """
    frames: FrameRange = (None, None, 1)
    source, wanted = open_range(path, frames, lambda: progress("read", 0, 0))
    return _decode(source, wanted, frames, progress)[0]


def read_numbered(path: Path, numbers: np.ndarray, progress: Progress) -> VideoClip:
    """The frames of these numbers (T,), rising, of which some may be the same, as another clip's frame_numbers tell.

    Those beyond the end of the video are left out. Raises as read_video does.
    """
    frames = (int(numbers[0]), int(numbers[-1]) + 1, 1)
    source, wanted = open_range(path, frames, lambda: progress("read", 0, 0))
    different = np.unique(numbers)
    among = set(different.tolist())
    clip, _ = _decode(source, wanted, frames, progress, lambda number, time: number in among, len(different))
    return _chosen(clip, np.searchsorted(clip.frame_numbers, numbers[numbers <= clip.frame_numbers[-1]]), clip.fps)


def _decode(
    source: Source,
    wanted: Wanted,
    frames: FrameRange,
    progress: Progress,
    wants: Wants | None = None,
    count: int | None = None,
    reduce: bool = True,
) -> tuple[VideoClip, np.ndarray]:
    """All frames in range, or those, about `count`, that it `wants`; and when they are shown, in seconds."""
    count = wanted.count if count is None else count
    kept: np.ndarray | None = None
    alphas: np.ndarray | None = None
    numbers: list[int] = []
    times: list[float] = []
    size = (0, 0)
    progress("read", 0, count)
    told: list[dict[str, str]] = []
    for number, time, picture in pictures(source, wanted, progress, wants or _all, told):
        if kept is None:
            full = picture.size
            size = reduced_size(*full, count) if reduce else full
            if size != full:
                log.info("%s: frames are reduced to %d x %d pixels", source.path, *size)
            check_length(source, count, size)
            kept = room_for_pictures((count, size[1], size[0], 3))
        if len(numbers) == len(kept):
            check_length(source, len(kept) + 1, size)
            kept = _grown(kept)
        colour, alpha = picture.at(size)
        kept[len(numbers)] = colour
        if alpha is not None or alphas is not None:
            alphas = _with_alpha(alphas, alpha, len(numbers), kept.shape[:3])
        numbers.append(number)
        times.append(time)
        progress("read", min(len(numbers), count), count)
    if kept is None:
        raise bad_video(
            "frames-outside-video",
            f"No frame of the video '{source.path}' can be decoded{in_range(frames)}.",
            "Choose frames between 0 and the last one, or check that the file is complete.",
        )
    progress("read", count, count)
    kept = kept[: len(numbers)]
    clip = VideoClip(
        frames=kept,
        fps=source.fps / wanted.step,
        frame_numbers=np.array(numbers, dtype=np.int64),
        alpha=None if alphas is None else alphas[: len(numbers)],
        name=source.path.name,
        warnings=tuple(told),
    )
    return clip, np.array(times)


def _all(number: int, time: float) -> bool:
    return True


def _grown(pictures: np.ndarray) -> np.ndarray:
    """With room for a fourth more of them."""
    grown = room_for_pictures((len(pictures) + max(8, len(pictures) // 4), *pictures.shape[1:]))
    grown[: len(pictures)] = pictures
    return grown


def _with_alpha(alphas: np.ndarray | None, alpha: np.ndarray | None, index: int, shape: tuple[int, ...]) -> np.ndarray:
    """alphas: of the frames before, None while none of them had one -> of shape (T, H, W), with that of the frame
    `index`; opaque where a frame has none."""
    if alphas is None:
        alphas = room_for_pictures(shape)
        alphas[:index] = 255
    elif index == len(alphas):
        alphas = _grown(alphas)
    alphas[index] = 255 if alpha is None else alpha
    return alphas


def _evenly_spaced(clip: VideoClip, times: np.ndarray) -> VideoClip:
    """A clip of variable frame rate, as phones and screen recorders make it, at its mean rate; others as they are, at
    the rate that their times tell: a header's counts what an edit list hides."""
    even = even_frames(times)
    if even is None:
        rate = rate_of(times)
        if rate is None or abs(rate / clip.fps - 1) <= _RATE_TOLERANCE:
            return clip
        return dataclasses.replace(clip, fps=rate)
    chosen, fps = even
    sentence = (
        f"The frames of '{clip.name}' are not evenly spaced in time; they are used at {fps:.4g} frames per second, "
        f"{len(np.unique(chosen))} of {len(chosen)} frames, some of them longer than others."
    )
    log.info(sentence)
    return _with_warning(_chosen(clip, chosen, fps), "video-frame-rate-varies", sentence)


def _at_moments(clip: VideoClip, chosen: np.ndarray, rate: float) -> VideoClip:
    """A clip at `rate` frames per second, whose frame k is the kept one `chosen[k]`."""
    repeated = len(chosen) - len(np.unique(chosen))
    if not repeated:
        return dataclasses.replace(clip, fps=rate)
    sentence = (
        f"The frames of '{clip.name}' are not evenly spaced in time: at {rate:g} frames per second {repeated} of "
        f"{len(chosen)} frames repeat the one before."
    )
    log.info(sentence)
    return _with_warning(_chosen(clip, chosen, rate), "video-frame-rate-varies", sentence)


def _rate_is_not_raised(source: Source, wanted: Wanted, rate: float) -> tuple[str, str]:
    """The code and the sentence of the warning that a video has fewer frames per second than are wanted."""
    sentence = (
        f"The frames of '{source.path.name}' that are used have a rate of {source.fps / wanted.step:.4g} per second, "
        f"not more than the {rate:g} that are wanted; all of them are taken."
    )
    return "video-rate-not-raised", sentence


def _chosen(clip: VideoClip, chosen: np.ndarray, fps: float) -> VideoClip:
    return dataclasses.replace(
        clip,
        frames=pictures_taken(clip.frames, chosen),
        fps=fps,
        frame_numbers=clip.frame_numbers[chosen],
        alpha=None if clip.alpha is None else pictures_taken(clip.alpha, chosen),
    )


def _with_warning(clip: VideoClip, code: str, sentence: str) -> VideoClip:
    return dataclasses.replace(clip, warnings=(*clip.warnings, {"code": code, "sentence": sentence}))


def pictures(
    source: Source, wanted: Wanted, progress: Progress, keeps: Wants, told: list[dict[str, str]]
) -> Generator[tuple[int, float, Picture], None, None]:
    """The wanted frames that it `keeps`: number, when it is shown in seconds, picture. To be closed where it is left.

    told: gets warnings about the file, at the end.
    """
    if source.images:
        last = source.count - 1 if wanted.last is None else min(wanted.last, source.count - 1)
        first_shape: tuple[int, ...] | None = None
        for number in range(wanted.first, last + 1, wanted.step):
            if not keeps(number, number / source.fps):
                continue
            image = read_image(source.images[number])
            first_shape = first_shape or image.shape[:2]
            if image.shape[:2] != first_shape:
                raise bad_video(
                    "video-sizes-differ",
                    f"The image '{source.images[number]}' has {image.shape[1]} x {image.shape[0]} pixels, but the ones "
                    f"before it have {first_shape[1]} x {first_shape[0]}.",
                    "All frames must have the same size.",
                )
            yield number, number / source.fps, StillPicture(image)
        return
    with open_video(source.path) as reader:
        number, seen, ended = 0, 0, math.nan
        while (wanted.last is None or number <= wanted.last) and (frame := reader.next()) is not None:
            counts = number >= wanted.first and (number - wanted.first) % wanted.step == 0
            seen += counts
            ended = frame.time
            if counts and keeps(number, frame.time):
                yield number, frame.time, frame.picture
            else:
                progress("read", 0 if number < wanted.first else (number - wanted.first) // wanted.step, wanted.count)
            number += 1
        told.extend(reader.warnings())
        if _is_cut_short(source, wanted, seen, ended if reader.undecodable == 0 else math.nan):
            told.append(_cut_short(source, wanted, seen))


def _cut_short(source: Source, wanted: Wanted, decoded: int) -> dict[str, str]:
    sentence = (
        f"The video '{source.path}' is damaged or cut short: {decoded} of about {wanted.count} frames can be decoded "
        "and are used."
    )
    log.warning(sentence)
    return {"code": "video-cut-short", "sentence": sentence}


def _is_cut_short(source: Source, wanted: Wanted, decoded: int, ended: float) -> bool:
    """ended: when the last frame that there was is shown, in seconds; NaN where that does not tell whether all of the
    file could be decoded."""
    missing = (wanted.count - decoded) * wanted.step
    if missing <= 0:
        return False
    if is_boxed(source.path):
        # Their edit lists may rightly hide a good part of the frames that the header counts.
        return ends_inside_a_box(source.path) or missing > source.count / 2
    spared = max(2, 0.02 * source.count)  # other headers are off by a frame or two in sound files, too
    promised = wanted.first + (wanted.count - 1) * wanted.step  # the last one's number, if they are evenly spaced
    return missing > spared and not ended * source.fps >= promised - spared
