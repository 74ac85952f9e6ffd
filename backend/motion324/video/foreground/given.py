"""Masks that come with the video: as a video or a folder of images that the user gives, or as its own alpha channel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.errors import Motion324Error
from motion324.core.progress import Progress
from motion324.video.decoding import read_as_counted
from motion324.video.sampling import VideoSample, sample_video
from motion324.video.source import bad_video


def given_masks(clip: VideoClip, path: Path, progress: Progress) -> np.ndarray:
    """The masks of `path` for the clip's frames -> (T, H, W) float32 in [0, 1]: white, or opaque, is the object.

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
        chosen = values[clip.frame_numbers]
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
    return masks.frames.max(axis=3)


def _fitted(values: np.ndarray, path: Path, clip: VideoClip) -> np.ndarray:
    """values (K, h, w) uint8, scaled to the clip's picture -> (K, H, W) float32 in [0, 1]."""
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
    resized = np.empty((len(values), height, width), np.float32)
    for index, mask in enumerate(values):
        resized[index] = cv2.resize(mask, (width, height), interpolation=interpolation)
    return resized / np.float32(255.0)


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
    clear = (clip.alpha < 64).mean(axis=(1, 2))
    solid = (clip.alpha > 192).mean(axis=(1, 2))
    return bool(np.median(clear) > 0.01 and np.median(solid) > 0.0005)


def alpha_masks(clip: VideoClip) -> np.ndarray:
    """(T, H, W) float32; the clip has an alpha channel."""
    assert clip.alpha is not None
    return clip.alpha.astype(np.float32) / np.float32(255.0)
