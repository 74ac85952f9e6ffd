"""Reads and writes point caches in the PC2 format, which Blender's Mesh Cache modifier plays.

The layout, all little-endian (seen in Blender's source, `MOD_meshcache_pc2.cc`):
12 bytes "POINTCACHE2\0", int32 version (1), int32 points, float32 start frame, float32 sample rate, int32 samples,
then samples x points x 3 float32.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.files.write_aside import explained_write_errors, written_aside

MAGIC = b"POINTCACHE2\0"
VERSION = 1
HEADER = struct.Struct("<12siiffi")
COUNT_OFFSET = HEADER.size - 4
ONLY_A_CACHE = "Only a cache: the receiving program needs the same mesh, with its vertices in the same order."


@dataclass(frozen=True)
class PointCache:
    """positions (T, N, 3) float32, read-only and mapped from the file; start, sample_rate: in the scene's frames."""

    positions: np.ndarray
    start: float
    sample_rate: float


class Pc2Writer:
    """Writes a point cache while its frames come in, at a place where a reader may look at the same time.

    The data of a frame is in the file before the count in the header covers it, so that a reader never sees a count
    without its data; the number of frames need not be known. Frames may come in any order and more than once: the
    count covers the frames from 0 up to the first one that is missing.

    Raises Motion324Error("disk-full" or "cannot-write"); ValueError for positions of another shape.
    """

    def __init__(self, path: Path, vertex_count: int, start: float = 0.0, sample_rate: float = 1.0) -> None:
        if vertex_count < 1:
            raise ValueError("a point cache needs at least one vertex")
        self.path = Path(path)
        self.vertex_count = vertex_count
        self.frame_count = 0
        self._beyond: set[int] = set()
        with explained_write_errors(self.path):
            self._file = self.path.open("wb")
            self._file.write(HEADER.pack(MAGIC, VERSION, vertex_count, start, sample_rate, 0))
            self._file.flush()

    def append(self, positions: np.ndarray) -> None:
        """Adds positions (B, N, 3) after the frames that the count covers."""
        self.write(range(self.frame_count, self.frame_count + len(positions)), positions)

    def write(self, indices: Sequence[int] | np.ndarray, positions: np.ndarray) -> None:
        """Puts positions (B, N, 3) at the frames `indices` (B,), then raises the count if these close a gap."""
        numbers = [int(index) for index in indices]
        if positions.shape != (len(numbers), self.vertex_count, 3):
            raise ValueError(f"positions {positions.shape} are not ({len(numbers)}, {self.vertex_count}, 3)")
        if any(number < 0 for number in numbers):
            raise ValueError("a frame's index must not be negative")
        data = np.ascontiguousarray(positions, dtype="<f4")
        with explained_write_errors(self.path):
            for number, frame in zip(numbers, data, strict=True):
                self._file.seek(HEADER.size + number * frame.nbytes)
                self._file.write(memoryview(frame).cast("B"))
            self._file.flush()
            self._raise_count(numbers)

    def _raise_count(self, numbers: list[int]) -> None:
        self._beyond.update(number for number in numbers if number >= self.frame_count)
        before = self.frame_count
        while self.frame_count in self._beyond:
            self._beyond.remove(self.frame_count)
            self.frame_count += 1
        if self.frame_count != before:
            self._file.seek(COUNT_OFFSET)
            self._file.write(struct.pack("<i", self.frame_count))
            self._file.flush()

    def close(self) -> None:
        with explained_write_errors(self.path):
            self._file.close()

    def __enter__(self) -> Pc2Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_pc2(path: Path, positions: np.ndarray, start: float = 0.0, sample_rate: float = 1.0) -> None:
    """Writes positions (T, N, 3) as a whole file: `path` has all of it, or stays as it was.

    start: the scene's frame that shows positions[0]; sample_rate: the scene's frames per sample.
    Raises Motion324Error("disk-full" or "cannot-write").
    """
    with written_aside(Path(path)) as aside, Pc2Writer(aside, positions.shape[1], start, sample_rate) as writer:
        writer.append(positions)


def read_pc2(path: Path) -> PointCache:
    """Maps a point cache from its file.

    A file longer than its count says is fine: its writer is still at work.
    Raises Motion324Error("point-cache-unreadable") where the file is missing, of another kind, or too short.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEADER.size)
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror or error}") from error
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        raise _unreadable(path, "is not a PC2 point cache")
    _, version, points, start, sample_rate, samples = HEADER.unpack(head)
    if version != VERSION:
        raise _unreadable(path, f"has the PC2 version {version}; only {VERSION} is known")
    if points < 1 or samples < 0:
        raise _unreadable(path, f"counts {points} points and {samples} frames")
    expected = HEADER.size + samples * points * 12
    if size < expected:
        raise _unreadable(path, f"is cut short: it has {size} of {expected} bytes")
    shape = (samples, points, 3)
    if samples == 0:
        return PointCache(np.empty(shape, np.float32), start, sample_rate)
    return PointCache(np.memmap(path, "<f4", "r", HEADER.size, shape), start, sample_rate)


def _unreadable(path: Path, why: str) -> Motion324Error:
    return Motion324Error("point-cache-unreadable", f"The point cache '{path}' {why}.", "Bake it again.", EXIT_BAD_MESH)
