"""Opens whatever is a video; reads animated AVIF and WebP, of which FFmpeg drops the alpha or knows nothing."""

from __future__ import annotations

import contextlib
import logging
import math
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, UnidentifiedImageError, features

from motion324.video.picture import StillPicture
from motion324.video.reader import Frame, VideoReader, bad_video, check_pixels

log = logging.getLogger(__name__)


class FrameReader(Protocol):
    """A video before its first frame; a context that closes the file. As VideoReader, which tells the rest.

    fps: frames per second on average, or 0. promised: how many frames the file says it has, or 0. undecodable: how many
    of what has been read could not be decoded.
    """

    fps: float
    promised: int
    undecodable: int

    def __enter__(self) -> FrameReader: ...

    def __exit__(self, *_: object) -> None: ...

    def next(self) -> Frame | None:
        """The next frame in the order in which they are shown; None at the end."""

    def seek(self, number: int) -> None:
        """Lets `next` go on with frame `number`."""

    def warnings(self) -> tuple[dict[str, str], ...]:
        """Of what kind the frames are that have been read so far, where people should know."""


def open_video(path: Path) -> FrameReader:
    """Raises Motion324Error("video-unreadable")."""
    kind = animation_in(path)
    if kind and features.check(kind):
        return AnimatedImageReader(path)
    return VideoReader(path)


def animation_in(path: Path) -> str:
    """ "avif" or "webp" where a file holds several pictures of that kind, as its first bytes say, else ""."""
    start = _beginning(path, 32)
    if start[4:12] == b"ftypavis":
        return "avif"
    animated = start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X" and start[20:21] and start[20] & 2
    return "webp" if animated else ""


def is_animated_png(path: Path) -> bool:
    """It says so before its first picture."""
    start = _beginning(path, 1 << 16)
    return start.startswith(b"\x89PNG") and b"acTL" in start.partition(b"IDAT")[0]


def _beginning(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError:
        return b""


class AnimatedImageReader:
    """A FrameReader; by Pillow. Its rate is that of the first frame, whose times tell how even the others are."""

    def __init__(self, path: Path) -> None:
        """Raises Motion324Error("video-unreadable")."""
        self.path = path
        self.undecodable = 0
        self._number = 0
        try:
            self._image = Image.open(path)
        except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            log.info("%s cannot be opened: %s", path, error)
            raise bad_video(
                "video-unreadable",
                f"The file '{path}' cannot be read as an animated picture: it is damaged, or too large.",
                "Convert it to an animated PNG or GIF, to an MP4, or to a folder of images.",
            ) from error
        try:
            check_pixels(path, *self._image.size)
        except BaseException:
            self._image.close()
            raise
        self.promised = int(getattr(self._image, "n_frames", 1))
        with contextlib.suppress(OSError, EOFError, ValueError):
            self._image.load()
        duration = float(self._image.info.get("duration") or 0.0)
        self.fps = 1000.0 / duration if duration > 0 else 0.0

    def __enter__(self) -> AnimatedImageReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._image.close()

    def next(self) -> Frame | None:
        """See FrameReader; also None where the file breaks off."""
        if self._number >= self.promised:
            return None
        try:
            self._image.seek(self._number)
            pixels = np.asarray(self._image.convert("RGBA"))
        except (OSError, EOFError, ValueError) as error:
            log.info("%s breaks off: %s", self.path, error)
            return None
        self._number += 1
        moment = self._image.info.get("timestamp")
        opaque = pixels[..., 3].min() == 255
        return Frame(math.nan if moment is None else moment / 1000.0, StillPicture(pixels[..., : 3 if opaque else 4]))

    def seek(self, number: int) -> None:
        """See FrameReader."""
        self._number = number

    def warnings(self) -> tuple[dict[str, str], ...]:
        """None."""
        return ()
