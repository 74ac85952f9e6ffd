"""Tells what only neighbouring frames tell, cuts, fades and the camera's motion, of as many as are read in seconds."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.files.frame_storage import Masks
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.progress import Progress
from motion324.pipeline.camera import takes_motion_off
from motion324.video.camera_motion import camera_remark, find_camera_motion
from motion324.video.decoding import pictures
from motion324.video.shots import shot_warnings
from motion324.video.source import EvenMoments, FrameRange, lower_rate, open_range, stacked_alpha

SIDE = 320  # pixels
SECONDS = 4.0  # of reading, on the way to the first frame as well
MOST = 400  # frames


class _TimeIsOver(Exception):
    """What was read until now is all."""


def passing_remarks(
    video: Path | VideoClip,
    clip: VideoClip,
    masks: Masks,
    options: AnimateOptions,
    progress: Progress,
) -> tuple[dict[str, str], ...]:
    """The warnings {"code", "sentence"} of animate about the video's shots and its camera, of the frames from the
    clip's first one on that were reached.

    clip: a few frames of the video; masks (K, H, W): of the first K of these.
    """
    first = int(clip.frame_numbers[0])
    if isinstance(video, VideoClip):
        passing = _part(video, first)
    else:
        passing = _passing(video, (first, *options.frames[1:]), options.video_fps, progress)
    if len(passing.frames) < 2:
        return ()
    remarks = shot_warnings(passing, progress)
    if options.camera == "still":
        return remarks
    nearest = np.abs(passing.frame_numbers[:, None] - clip.frame_numbers[None, : len(masks)]).argmin(axis=1)
    size = passing.frames.shape[2:0:-1]
    small = np.stack([cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in masks])
    motion = find_camera_motion(passing, small[nearest], progress)
    taken_off = takes_motion_off(motion, options)
    return (*remarks, *camera_remark(motion, taken_off, passing.frame_numbers, passing.name))


def _part(clip: VideoClip, first: int) -> VideoClip:
    """What is in memory already, from this frame number on, small."""
    start = int(np.searchsorted(clip.frame_numbers, first))
    frames, size = clip.frames[start : start + MOST], _size(*clip.frames.shape[2:0:-1])
    alpha = None if clip.alpha is None else clip.alpha[start : start + MOST]
    return VideoClip(
        frames=np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]),
        fps=clip.fps,
        frame_numbers=clip.frame_numbers[start : start + MOST],
        alpha=None if alpha is None else np.stack([cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in alpha]),
        name=clip.name,
    )


def _passing(path: Path, frames: FrameRange, rate: float | None, progress: Progress) -> VideoClip:
    source, wanted = open_range(path, frames, lambda: progress("read", 0, 0))
    lower = lower_rate(source, wanted, rate)
    moments = EvenMoments(lower, wanted.step / source.fps) if lower else None
    small: list[np.ndarray] = []
    alphas: dict[int, np.ndarray] = {}
    numbers: list[int] = []

    def keeps(number: int, moment: float) -> bool:
        return moments is None or moments.wants(moment)

    deadline = time.monotonic() + SECONDS

    def in_time(stage: str, done: int, total: int) -> None:
        progress("read", 0, 0)
        if time.monotonic() > deadline:
            raise _TimeIsOver

    with (
        contextlib.suppress(_TimeIsOver),
        contextlib.closing(pictures(source, wanted, in_time, keeps, [])) as found,
    ):
        for number, _, picture in found:
            in_time("read", 0, 0)
            colour, alpha = picture.at(_size(*picture.size))
            if alpha is not None:
                alphas[len(small)] = alpha
            small.append(colour)
            numbers.append(number)
            if len(small) == MOST:
                break
    together = np.stack(small) if small else np.empty((0, 1, 1, 3), np.uint8)
    alpha = stacked_alpha(alphas, together.shape[:3])
    return VideoClip(together, lower or source.fps, np.array(numbers, np.int64), alpha, source.path.name)


def _size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
