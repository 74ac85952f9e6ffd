"""Masks that the user gives as a video or a folder of images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from motion324.progress import Progress
from motion324.video.clip import VideoClip
from motion324.video.decoding import bad_video, read_frames


def given_masks(clip: VideoClip, path: Path, progress: Progress) -> np.ndarray:
    """The masks of `path` for the clip's frames -> (T, H, W) float32 in [0, 1]: white, or opaque, is the object.

    There is one mask for each of the clip's frames, or one for each frame of the clip's source; other sizes of the same
    shape are scaled. Raises Motion324Error with EXIT_BAD_VIDEO where neither number fits or the masks cannot be read.
    """

    def as_foreground(stage: str, done: int, total: int) -> None:
        progress("foreground", min(done, total), total)

    masks = read_frames(path, (None, None, 1), as_foreground)
    values = masks.frames.max(axis=3)
    if masks.alpha is not None and masks.alpha.min() < 128:
        values = masks.alpha
    if len(values) == len(clip.frames):
        chosen = values
    elif len(values) > int(clip.frame_numbers[-1]):
        chosen = values[clip.frame_numbers]
    else:
        raise bad_video(
            "mask-count-differs",
            f"The masks '{path}' have {len(values)} frames; '{clip.name}' needs {len(clip.frames)} of them, up to "
            f"frame {clip.frame_numbers[-1]}.",
            "Give one mask for each frame of the video.",
        )
    height, width = clip.frames.shape[1:3]
    given_height, given_width = chosen.shape[1:]
    if abs(np.log((given_width / given_height) / (width / height))) > 0.02:
        raise bad_video(
            "mask-shape-differs",
            f"The masks '{path}' are {given_width} x {given_height}, which is another shape than the video's "
            f"{width} x {height}.",
            "Give masks of the whole picture.",
        )
    resized = np.empty((len(chosen), height, width), np.float32)
    for index, mask in enumerate(chosen):
        smaller = given_width >= width
        resized[index] = cv2.resize(
            mask, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        )
    return resized / np.float32(255.0)
