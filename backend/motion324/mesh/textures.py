"""Reads the textures of mesh files as arrays."""

from __future__ import annotations

import hashlib
import io
import logging
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from motion324.core.progress import Progress, silent

log = logging.getLogger(__name__)

# Larger textures are halved until they fit: no video shows that much, and 8192 x 8192 takes 256 MiB.
LONGEST_SIDE = 4096
# Of one image, and of all images of a file together: a few kilobytes of PNG can hold as much as anyone likes.
MOST_PIXELS = 2**27
MOST_PIXELS_OF_A_FILE = 2**30
# What a file's textures take at most, RGBA. Each takes at most an eighth of what is left, and is halved until it does:
# eight of 4096 x 4096, then two dozen of 2048 x 2048, and so on, so that none is ever refused for want of room.
MOST_BYTES = 2**30

_BLOCK = 4096  # bytes that are decoded at a time
_STRIP = 256  # rows that are converted at a time


class Textures:
    """The textures of one mesh file. The same image is decoded once, wherever and however often it lies in the file."""

    def __init__(self, progress: Progress = silent) -> None:
        self._progress = progress
        self._known: dict[bytes, np.ndarray | None] = {}
        self._pixels = MOST_PIXELS_OF_A_FILE
        self._room = MOST_BYTES

    def decode(self, data: bytes, name: str) -> tuple[np.ndarray | None, str]:
        """An image file's content -> (H, W, 4) uint8 sRGB, row 0 on top; None where it cannot be decoded, and why.

        progress is called while it is decoded, and may end that by raising Cancelled.
        """
        key = hashlib.blake2b(data, digest_size=16).digest()
        if key in self._known:
            return self._known[key], "it cannot be decoded"
        try:
            self._known[key] = self._decoded(data)
        except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
            log.info("The texture '%s' cannot be decoded", name, exc_info=True)
            self._known[key] = None
            return None, _why(error)
        return self._known[key], ""

    def _decoded(self, data: bytes) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is below
            with Image.open(_Watched(data, self._progress)) as image:
                pixels = image.width * image.height
                if pixels > MOST_PIXELS:
                    raise _TooLarge(f"it has {image.width} x {image.height} pixels, more than {MOST_PIXELS:,}")
                if pixels > self._pixels:
                    raise _TooLarge(f"the file's textures have more than {MOST_PIXELS_OF_A_FILE:,} pixels together")
                self._pixels -= pixels
                image.decodermaxblock = _BLOCK
                texture = _as_texture(image, self._room // 8, self._progress)
        self._room -= texture.nbytes
        return texture


def _why(error: Exception) -> str:
    """In words; what a library says may name its own objects, and is in the log."""
    if isinstance(error, _TooLarge):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "it is no image of a known kind"
    return "there is no memory for it" if isinstance(error, MemoryError) else "it is damaged"


class _TooLarge(ValueError):
    """Its text says in words what there is too much of."""


class _Watched(io.BytesIO):
    """Calls progress whenever the decoder wants more, which it does every _BLOCK bytes."""

    def __init__(self, data: bytes, progress: Progress) -> None:
        super().__init__(data)
        self._watch = progress

    def read(self, size: int | None = -1, /) -> bytes:
        self._watch("read", 0, 1)
        return super().read(size)


def _as_texture(image: Image.Image, most_bytes: int, progress: Progress) -> np.ndarray:
    """Any PIL image -> (H, W, 4) uint8 sRGB, its longest side at most LONGEST_SIDE, in most_bytes or a single pixel."""
    width, height = image.size
    deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
    brightest = 65535.0 if deep and image.getextrema()[1] > 255 else 255.0  # type: ignore[operator]
    factor = 1
    while max(width, height) > LONGEST_SIDE * factor or (
        factor < max(width, height) and 4 * -(-width // factor) * -(-height // factor) > most_bytes
    ):
        factor *= 2
    texture = np.empty((-(-height // factor), -(-width // factor), 4), np.uint8)
    rows = factor * max(1, _STRIP // factor)
    for top in range(0, height, rows):  # in strips, so that the whole is never there twice, and can be cancelled
        strip = image.crop((0, top, width, min(top + rows, height)))
        if deep:
            strip = Image.fromarray(np.clip(np.asarray(strip) * (255.0 / brightest), 0, 255).astype(np.uint8))
        strip = strip.convert("RGBA")
        reduced = np.asarray(strip.reduce(factor) if factor > 1 else strip)
        texture[top // factor : top // factor + len(reduced)] = reduced
        progress("read", 0, 1)
    return texture
