"""Writes videos: MP4, as widely playable as OpenCV allows, also of a folder of images, and WebM (VP8) for pages."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.write_aside import written_aside
from motion324.core.progress import Progress, silent
from motion324.video.reader import VideoReader
from motion324.video.source import bad_video, open_range, read_image

# The systems' own H.264 encoders; OpenCV's Linux wheels have none, and their VP9 takes 0.2 s a frame.
_CODECS = {"win32": ("avc1", "mp4v"), "darwin": ("avc1", "mp4v")}
_FULL_DISK_BYTES = 1 << 20


class VideoFile:
    """Writes frames (H, W, 3) uint8 RGB, all of the same size, to an .mp4 as a context; `path` gets it whole or not.

    Odd sides grow by one pixel, which encoders need. Raises Motion324Error: "video-encoder-missing",
    "video-not-written", "disk-full" or "cannot-write".
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = Path(path)
        self.fps = fps
        self.frame_count = 0
        self._aside = written_aside(self.path)
        self._file = self.path
        self._writer: cv2.VideoWriter | None = None

    def write(self, frame: np.ndarray) -> None:
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            frame = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        if self._writer is None:
            self._writer = self._open(frame.shape[1], frame.shape[0])
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self.frame_count += 1

    def __enter__(self) -> VideoFile:
        self._file = self._aside.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.release()
        if kind is None:
            try:
                self._check()
            except Motion324Error as problem:
                self._aside.__exit__(type(problem), problem, problem.__traceback__)
                raise
        self._aside.__exit__(kind, error, trace)

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        for codec in _CODECS.get(sys.platform, ("mp4v",)):
            writer = cv2.VideoWriter(str(self._file), cv2.VideoWriter.fourcc(*codec), self.fps, (width, height))
            if writer.isOpened():
                return writer
        raise Motion324Error(
            "video-encoder-missing",
            f"OpenCV cannot write the video '{self.path}' of {width} x {height} pixels.",
            "Install the backend's environment anew, and check that the folder can be written to.",
            EXIT_CANNOT_WRITE,
        )

    def _check(self) -> None:
        """OpenCV says nothing when a disk is full; the file tells."""
        try:
            with VideoReader(self._file) as reader:
                found = reader.promised
        except Motion324Error:
            found = 0
        if found >= self.frame_count > 0:
            return
        full = shutil.disk_usage(self.path.parent).free < _FULL_DISK_BYTES
        raise Motion324Error(
            "disk-full" if full else "video-not-written",
            f"The disk has no room for '{self.path}'."
            if full
            else f"The video '{self.path}' was not written whole: {found} of {self.frame_count} frames.",
            "Free some space, or choose a folder on another disk.",
            EXIT_CANNOT_WRITE,
        )


def write_webm(path: Path, frames: Iterable[np.ndarray], fps: float) -> bool:
    """frames (H, W, 3) uint8 RGB, all of the same even size. False, and no file, where this OpenCV cannot write WebM.

    Raises Motion324Error("cannot-write" or "disk-full").
    """
    writer: cv2.VideoWriter | None = None
    with written_aside(path) as aside:
        for frame in frames:
            if writer is None:
                with _quiet():
                    size = (frame.shape[1], frame.shape[0])
                    writer = cv2.VideoWriter(str(aside), cv2.VideoWriter.fourcc(*"VP80"), fps, size)
                if not writer.isOpened():
                    break
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        opened = writer is not None and writer.isOpened()
        if writer is not None:
            writer.release()
        if not opened:
            aside.touch()
    if not opened:
        path.unlink()
    return opened


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what OpenCV prints about WebM, which has no tags for codecs, past every setting of its log."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def write_image_sequence(folder: Path, target: Path, fps: float, progress: Progress = silent) -> int:
    """Writes the folder's images, in natural order and before white, to the MP4 `target` -> how many there were.

    Raises Motion324Error: "video-missing", "video-no-images", "video-unreadable", "video-sizes-differ",
    "not-a-folder", and what VideoFile raises; then nothing is written.
    """
    if folder.is_file():
        raise bad_video("not-a-folder", f"'{folder}' is a file, not a folder of images.", "Give the folder.")
    source, _ = open_range(folder, (None, None, 1), lambda: progress("read", 0, 0))
    size: tuple[int, ...] | None = None
    with VideoFile(target, fps) as video:
        for index, file in enumerate(source.images):
            progress("write", index, source.count)
            image = read_image(file)
            size = size or image.shape[:2]
            if image.shape[:2] != size:
                raise bad_video(
                    "video-sizes-differ",
                    f"The image '{file}' has {image.shape[1]} x {image.shape[0]} pixels, but the ones before it have "
                    f"{size[1]} x {size[0]}.",
                    "All frames must have the same size.",
                )
            video.write(_before_white(image))
    progress("write", source.count, source.count)
    return source.count


def _before_white(image: np.ndarray) -> np.ndarray:
    """(H, W, 3 or 4) uint8 -> (H, W, 3) uint8."""
    if image.shape[2] == 3:
        return image
    opaque = image[..., 3:].astype(np.float32) / 255
    return (image[..., :3] * opaque + 255 * (1 - opaque) + 0.5).astype(np.uint8)
