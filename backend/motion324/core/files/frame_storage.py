"""Holds the pictures of long clips in files that the system maps into memory, and their masks as bytes.

A long clip's pictures are looked at a few at a time, so that the system may keep in memory as many of them as there is
room for. The file has no name any more while it is used: it is gone with the last array that looks at it, or with the
process, however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import math
import mmap
import os
import sys
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.files.write_aside import write_error

HELD_IN_MEMORY = 64 << 20  # bytes of one array: what takes more lies in a file
_WRITTEN_AT_ONCE = 16 << 20
_mapped: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


class ByteMasks:
    """Masks (T, H, W) of a long clip, in [0, 1], of which only levels (T, H, W) uint8 are held.

    What is read of them is float32, and what is written is rounded to a 255th. A slice of frames is another ByteMasks
    that looks at the same levels; any other index gives an array.
    """

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(self, levels: np.ndarray) -> None:
        self.levels = levels

    @classmethod
    def of(cls, masks: Masks) -> ByteMasks:
        """The same masks; those that are ByteMasks already themselves. Raises as room_for_pictures does."""
        if isinstance(masks, ByteMasks):
            return masks
        bytewise = cls(room_for_pictures(masks.shape))
        for index, mask in enumerate(masks):
            bytewise[index] = mask
        return bytewise

    @property
    def shape(self) -> tuple[int, ...]:
        return self.levels.shape

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ByteMasks(self.levels[index])
        return np.multiply(self.levels[index], np.float32(1 / 255), dtype=np.float32)

    def __setitem__(self, index: Any, values: np.ndarray) -> None:
        self.levels[index] = np.clip(np.multiply(values, np.float32(255)) + np.float32(0.5), 0, 255)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))


Masks = np.ndarray | ByteMasks  # (T, H, W) in [0, 1]: of a short clip float32, read by frames


def room_for_pictures(shape: tuple[int, ...]) -> np.ndarray:
    """An array uint8 of zeros, in a file where it is large. Raises Motion324Error("disk-full", "cannot-write")."""
    size = math.prod(shape)
    return np.zeros(shape, np.uint8) if size <= HELD_IN_MEMORY else _in_file(size).reshape(shape)


def room_for_masks(shape: tuple[int, ...]) -> Masks:
    """Masks (T, H, W) of zeros: float32, or where that is large ByteMasks. Raises as room_for_pictures does."""
    if 4 * math.prod(shape) <= HELD_IN_MEMORY:
        return np.zeros(shape, np.float32)
    return ByteMasks(room_for_pictures(shape))


def pictures_taken(pictures: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """pictures (T, ...) uint8, chosen (K,) int -> (K, ...): a copy, in a file where it is large."""
    taken = room_for_pictures((len(chosen), *pictures.shape[1:]))
    for index, place in enumerate(chosen.tolist()):
        taken[index] = pictures[place]
    return taken


def let_go_of_pictures() -> None:
    """Tells the system that what lies in files need not be in this process's memory just now; it comes back when it is
    looked at. Takes next to no time where there is none, and may be called from any thread."""
    if sys.platform == "win32":  # which trims what a process does not use by itself
        return
    for pictures in list(_mapped):
        with contextlib.suppress(ValueError, OSError):  # closed meanwhile; nothing is lost where it stays
            pictures.madvise(mmap.MADV_DONTNEED)


def _in_file(size: int) -> np.ndarray:
    """(size,) uint8, zeros."""
    folder = _folder()
    try:
        with tempfile.TemporaryFile(prefix="motion324-frames-", dir=folder) as file:
            _reserve(file.fileno(), size)
            pictures = mmap.mmap(file.fileno(), size)  # keeps the file open by itself
    except OSError as error:
        raise write_error(folder / "motion324-frames", error) from error
    _mapped.add(pictures)
    return np.frombuffer(pictures, np.uint8)


def _folder() -> Path:
    """Where temporary files lie; /var/tmp for /tmp, which many systems keep in memory."""
    folder = Path(tempfile.gettempdir())
    lasting = Path("/var/tmp")
    return lasting if folder == Path("/tmp") and lasting.is_dir() and os.access(lasting, os.W_OK) else folder


def _reserve(file: int, size: int) -> None:
    """Gives an empty file its size, with room on the disk for all of it: a page that finds none when it is written ends
    the process. Raises OSError."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, 0, size)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system that cannot
                raise
    zeros = bytes(_WRITTEN_AT_ONCE)
    for start in range(0, size, _WRITTEN_AT_ONCE):
        part = memoryview(zeros)[: size - start]
        while part:
            part = part[os.write(file, part) :]
