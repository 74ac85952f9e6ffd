"""The object cut out of its video, written as videos on black and on white, and the mask video."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from motion324.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.progress import Progress, silent
from motion324.video.clip import VideoClip

FILE_NAMES = ("cutout_black.mp4", "cutout_white.mp4", "mask.mp4")


def write_cutouts(clip: VideoClip, masks: np.ndarray, folder: Path, progress: Progress = silent) -> list[Path]:
    """Writes FILE_NAMES into `folder`, which is made if it is not there; masks (T, H, W) float32 in [0, 1].

    A file is complete or does not appear. Raises Motion324Error with EXIT_CANNOT_WRITE: folder not writable, disk full,
    no encoder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, str(error.strerror or error)) from error

    def over(level: int) -> Callable[[int], np.ndarray]:
        def image(index: int) -> np.ndarray:
            coverage = masks[index][..., None]
            return (clip.frames[index] * coverage + level * (1 - coverage) + 0.5).astype(np.uint8)

        return image

    def mask(index: int) -> np.ndarray:
        return np.repeat((masks[index] * 255 + 0.5).astype(np.uint8)[..., None], 3, axis=2)

    paths = []
    for number, (name, image) in enumerate(zip(FILE_NAMES, (over(0), over(255), mask), strict=True)):
        path = folder / name
        total = len(masks) * len(FILE_NAMES)
        _write_video(path, image, len(masks), clip.fps, _part(progress, number * len(masks), total))
        paths.append(path)
    return paths


def _part(progress: Progress, before: int, total: int) -> Callable[[int], None]:
    return lambda done: progress("write", before + done, total)


def _write_video(
    path: Path, image: Callable[[int], np.ndarray], count: int, fps: float, step: Callable[[int], None]
) -> None:
    """image(k) -> (H, W, 3) uint8 RGB. Written aside, read again, then moved into its place."""
    aside = path.with_name(f".{path.stem}.part.mp4")
    try:
        height, width = image(0).shape[:2]
        size = (width + width % 2, height + height % 2)  # MPEG-4 wants even sizes
        # OpenCV's wheels carry no H.264 encoder; MPEG-4 part 2 is in all of them, and Blender reads it.
        writer = cv2.VideoWriter(str(aside), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        if not writer.isOpened():
            why = "the folder is not writable" if not os.access(path.parent, os.W_OK) else "OpenCV has no MP4 encoder"
            raise _cannot_write(path, why)
        try:
            for index in range(count):
                step(index)
                frame = cv2.cvtColor(image(index), cv2.COLOR_RGB2BGR)
                bottom, right = size[1] - height, size[0] - width
                writer.write(cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
        finally:
            writer.release()
        if _frames_in(aside) < count:  # OpenCV does not report a full disk
            raise _cannot_write(path, "it came out incomplete; the disk may be full")
        aside.replace(path)
    except OSError as error:
        raise _cannot_write(path, str(error.strerror or error)) from error
    finally:
        aside.unlink(missing_ok=True)


def _frames_in(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def _cannot_write(path: Path, why: str) -> Motion324Error:
    return Motion324Error(
        "cannot-write",
        f"'{path}' cannot be written: {why}.",
        "Choose another output folder, or free some space.",
        EXIT_CANNOT_WRITE,
    )
