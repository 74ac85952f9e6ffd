"""Finds the foreground where no network is needed: by masks that come with the video, and before a background of one
colour.

Masks come as a video or a folder of images that the user gives, or as the video's own alpha channel; a plain background
may be white, black, a green screen or any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.errors import Motion324Error
from motion324.core.files.frame_storage import (
    HELD_IN_MEMORY,
    ByteMasks,
    Masks,
    pictures_taken,
    room_for_masks,
    room_for_pictures,
)
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.progress import Progress
from motion324.video.decoding import read_as_counted
from motion324.video.foreground.background_plate import distance_beyond_shadow
from motion324.video.foreground.coverage import colour_distance, coverage_from_evidence, disc
from motion324.video.sampling import VideoSample, sample_video
from motion324.video.source import bad_video

# A border counts as plain if this part of it, over the whole clip, lies this close (0..255) to one colour.
_PLAIN_SHARE = 0.75
_PLAIN_TOLERANCE = 10.0
_FRAMES_LOOKED_AT = 16
_TOLERANCE = 12.0  # colour distance (0..255) that blocks and ringing of a codec reach in the plainest background


def given_masks(clip: VideoClip, path: Path, progress: Progress) -> Masks:
    """The masks of `path` for the clip's frames -> (T, H, W) in [0, 1]: white, or opaque, is the object.

    There is one mask for each of the clip's frames, or one for each frame of the clip's source; other sizes of the same
    shape are scaled. Raises Motion324Error with EXIT_BAD_VIDEO where neither number fits or the masks cannot be read.
    """
    masks = read_as_counted(path, _as_foreground(progress))
    values = _values(masks)
    last = int(clip.frame_numbers[-1])
    repeated = bool((np.diff(clip.frame_numbers) <= 0).any())  # of a variable frame rate: places tell nothing
    if len(values) == len(clip.frames) and not (repeated and len(values) > last):
        chosen = values
    elif len(values) > last:
        chosen = pictures_taken(values, clip.frame_numbers)
    else:
        raise _too_few(path, len(values), clip.name, len(clip.frames), last)
    return _fitted(chosen, path, clip)


def first_given_mask(sample: VideoSample, path: Path, progress: Progress) -> np.ndarray:
    """The mask (H, W) float32 that given_masks would give the first frame, without reading all the others."""
    clip, report = sample.clip, _as_foreground(progress)
    masks = sample_video(path, (None, None, 1), 1, report)
    first, last = int(clip.frame_numbers[0]), int(clip.frame_numbers[-1])
    if masks.frame_count != sample.used:
        if masks.frame_count <= last:
            raise _too_few(path, masks.frame_count, clip.name, sample.used, last)
        if first > 0:
            masks = sample_video(path, (first, first + 1, 1), 1, report)
    return _fitted(_values(masks.clip), path, clip)[0]


def _as_foreground(progress: Progress) -> Progress:
    def report(stage: str, done: int, total: int) -> None:
        progress("foreground", min(done, total), total)

    return report


def _values(masks: VideoClip) -> np.ndarray:
    """(T, h, w) uint8: the alpha channel where it hides something, else the brightness."""
    if masks.alpha is not None and masks.alpha.min() < 128:
        return masks.alpha
    values = room_for_pictures(masks.frames.shape[:3])
    for index, frame in enumerate(masks.frames):
        values[index] = frame.max(axis=2)
    return values


def _fitted(values: np.ndarray, path: Path, clip: VideoClip) -> Masks:
    """values (K, h, w) uint8, scaled to the clip's picture -> (K, H, W) in [0, 1]."""
    height, width = clip.frames.shape[1:3]
    given_height, given_width = values.shape[1:]
    if abs(np.log((given_width / given_height) / (width / height))) > 0.02:
        raise bad_video(
            "mask-shape-differs",
            f"The masks '{path}' are {given_width} x {given_height}, which is another shape than the video's "
            f"{width} x {height}.",
            "Give masks of the whole picture.",
        )
    interpolation = cv2.INTER_AREA if given_width >= width else cv2.INTER_LINEAR
    resized = room_for_masks((len(values), height, width))
    for index, mask in enumerate(values):
        resized[index] = cv2.resize(mask, (width, height), interpolation=interpolation) / np.float32(255.0)
    return resized


def _too_few(path: Path, given: int, name: str, needed: int, last: int) -> Motion324Error:
    return bad_video(
        "mask-count-differs",
        f"The masks '{path}' have {given} frames; '{name}' needs {needed} of them, up to frame {last}.",
        "Give one mask for each frame of the video.",
    )


def has_meaningful_alpha(clip: VideoClip) -> bool:
    """Whether the alpha channel tells an object from a background: most frames have see-through and solid pixels."""
    if clip.alpha is None:
        return False
    clear = [float((alpha < 64).mean()) for alpha in clip.alpha]
    solid = [float((alpha > 192).mean()) for alpha in clip.alpha]
    return bool(np.median(clear) > 0.01 and np.median(solid) > 0.0005)


def alpha_masks(clip: VideoClip) -> Masks:
    """(T, H, W); the clip has an alpha channel."""
    assert clip.alpha is not None
    if 4 * clip.alpha.size > HELD_IN_MEMORY:
        return ByteMasks(clip.alpha)
    return clip.alpha.astype(np.float32) / np.float32(255.0)


@dataclass(frozen=True)
class PlainBackground:
    """colour (3,) float32 in 0..255; noise: how far (0..255) the codec takes the background's pixels from it."""

    colour: np.ndarray
    noise: float


def find_plain_background(frames: np.ndarray) -> PlainBackground | None:
    """frames (T, H, W, 3) uint8 -> the one colour around the object, or None where the border shows several.

    The border is a band of 2 % of the picture. The object may cover up to a quarter of it.
    """
    chosen = frames[_spread(len(frames), _FRAMES_LOOKED_AT)]
    height, width = frames.shape[1:3]
    band = max(3, round(0.02 * min(height, width)))
    border = np.concatenate(
        [
            chosen[:, :band].reshape(-1, 3),
            chosen[:, -band:].reshape(-1, 3),
            chosen[:, band:-band, :band].reshape(-1, 3),
            chosen[:, band:-band, -band:].reshape(-1, 3),
        ]
    )
    colour = _median(border)
    for _ in range(3):  # the median of what lies near it: a quarter of other colours would shift it
        near = np.abs(border - colour).max(axis=1) <= _PLAIN_TOLERANCE
        if near.mean() < _PLAIN_SHARE:
            return None
        colour = _median(border[near])
    distance = colour_distance((border[near] - colour)[None])[0]
    return PlainBackground(colour=colour.astype(np.float32), noise=float(np.percentile(distance, 95)))


def _median(colours: np.ndarray) -> np.ndarray:
    """colours (K, 3) uint8 -> (3,) float32: as np.median has it, by counting, which takes a tenth of the time."""
    middle = [(len(colours) - 1) // 2, len(colours) // 2]
    counted = [np.bincount(colours[:, channel], minlength=256).cumsum() for channel in range(3)]
    return np.array([np.searchsorted(each, middle, side="right").mean() for each in counted], np.float32)


def plain_masks(frames: np.ndarray, background: PlainBackground, progress: Progress) -> Masks:
    """frames (T, H, W, 3) uint8 -> (T, H, W) in [0, 1]."""
    masks = room_for_masks(frames.shape[:3])
    tolerance = _TOLERANCE + 2.5 * background.noise

    def find(index: int) -> None:
        distance = colour_distance(frames[index].astype(np.float32) - background.colour)
        masks[index] = coverage_from_evidence(distance / np.float32(tolerance))

    side_by_side(len(frames), find, lambda done: progress("foreground", done, len(frames)))
    return masks


def clear_outline_share(frames: np.ndarray, background: PlainBackground, masks: Masks) -> float:
    """The part of the masks' outlines, 0 to 1, at which the colour changes at once, as it does where an object ends.

    Shadows, vignettes and gradients fade instead, and so do masks that follow nothing but noise. 0 for empty masks.
    """
    tolerance = _TOLERANCE + 2.5 * background.noise

    def share(index: int) -> float | None:
        solid = (masks[index] > 0.5).view(np.uint8)
        outline = (solid > 0) & (cv2.erode(solid, np.ones((3, 3), np.uint8)) == 0)
        if not outline.any():
            return None
        distance = colour_distance(frames[index].astype(np.float32) - background.colour)
        return float((cv2.dilate(distance, disc(3))[outline] > 2.5 * tolerance).mean())

    return _mean_share(len(frames), share)


def shadow_share(frames: np.ndarray, background: PlainBackground, masks: Masks) -> float:
    """The part of the masks, 0 to 1, that might be shadow: the background's own colour, made darker."""

    def share(index: int) -> float | None:
        solid = masks[index] > 0.5
        if not solid.any():
            return None
        shown = frames[index][solid][None].astype(np.float32)
        rest = distance_beyond_shadow(shown, np.broadcast_to(background.colour, shown.shape))
        return float((rest < 1.5 * _TOLERANCE).mean())

    return _mean_share(len(frames), share)


def _mean_share(count: int, share: Callable[[int], float | None]) -> float:
    """The mean of what a few of `count` frames have, as far as they have any; 0 where none has."""
    chosen = _spread(count, _FRAMES_LOOKED_AT).tolist()
    found: dict[int, float | None] = {}

    def find(number: int) -> None:
        found[number] = share(chosen[number])

    side_by_side(len(chosen), find, lambda done: None)
    known = [value for _, value in sorted(found.items()) if value is not None]
    return float(np.mean(known)) if known else 0.0


def _spread(count: int, most: int) -> np.ndarray:
    """At most `most` indices, spread over 0 .. count - 1."""
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))
