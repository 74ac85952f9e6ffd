"""Decodes EXT_meshopt_compression's buffer views, after that extension's specification."""

from __future__ import annotations

from typing import Any

import numpy as np

from motion324.core.progress import Progress
from motion324.mesh.files.foreign import Damaged

_BYTES_FROM_ONE = 64  # the most that a byte of compressed data can stand for
_ZIGZAG = np.array([value >> 1 ^ -(value & 1) & 0xFF for value in range(256)], np.uint8)
_STEPS_BETWEEN_LOOKS = 20_000


def decode_meshopt(packed: dict[str, Any], data: bytes, progress: Progress) -> bytes:
    """A view's bytes, `count` elements of `byteStride` bytes. packed: the extension's object; data: what it points to.

    Raises ValueError and IndexError for damaged data, before more is allocated than the data can stand for.
    """
    count, stride, mode = int(packed["count"]), int(packed["byteStride"]), packed["mode"]
    if not 0 < count * stride <= _BYTES_FROM_ONE * len(data) or stride < 1:
        raise Damaged("compressed data says that it stands for more than it can")
    if mode == "ATTRIBUTES":
        if stride % 4 or stride > 256:
            raise Damaged("compressed vertices have rows of a length that cannot be")
        return _filtered(_attributes(data, count, stride, progress), packed.get("filter", "NONE"))
    if stride not in (2, 4) or mode not in ("TRIANGLES", "INDICES"):
        raise Damaged("compressed data is of an unknown kind")
    indices = _triangles(data, count, progress) if mode == "TRIANGLES" else _sequence(data, count, progress)
    if len(indices) and not 0 <= min(indices) <= max(indices) < 256**stride:
        raise Damaged("compressed indices are damaged")
    return np.array(indices, np.uint32).astype(f"<u{stride}").tobytes()


def _attributes(data: bytes, count: int, stride: int, progress: Progress) -> np.ndarray:
    """(count, stride) uint8. Blocks of up to 256 rows; in each, byte after byte of the rows, as differences to the row
    before, in groups of 16 that have 0, 2, 4 or 8 bits for each."""
    if data[0] != 0xA0:
        raise Damaged("compressed vertices begin with an unknown version")
    raw = np.frombuffer(data, np.uint8)
    rows = np.empty((count, stride), np.uint8)
    before = raw[len(raw) - stride :]
    end = len(raw) - max(32, stride)
    at_once = min(8192 // stride & ~15, 256)
    place = 1
    for start in range(0, count, at_once):
        progress("read", 0, 1)
        block = rows[start : start + at_once]
        groups = -(-len(block) // 16)
        differences = np.zeros((stride, groups * 16), np.uint8)
        for column in range(stride):
            head = place
            place += -(-groups // 4)
            for group in range(groups):
                bits = data[head + group // 4] >> 2 * (group % 4) & 3
                if bits == 0:
                    continue
                into = differences[column, 16 * group : 16 * group + 16]
                if bits == 3:
                    into[:] = raw[place : place + 16]
                    place += 16
                    continue
                width = 2 * bits
                stored = raw[place : place + 2 * width]
                place += 2 * width
                shifts = np.arange(8 - width, -1, -width, dtype=np.uint8)
                into[:] = (stored[:, None] >> shifts & (1 << width) - 1).ravel()
                above = np.flatnonzero(into == (1 << width) - 1)  # those stand behind, in full
                into[above] = raw[place : place + len(above)]
                place += len(above)
        if place > end:
            raise Damaged("compressed vertices are cut short")
        steps = _ZIGZAG[differences[:, : len(block)].T]
        steps[0] += before
        block[:] = np.add.accumulate(steps, axis=0, dtype=np.uint8)
        before = block[-1]
    return rows


def _filtered(rows: np.ndarray, kind: str) -> bytes:
    if kind == "NONE":
        return rows.tobytes()
    if kind == "EXPONENTIAL":  # 8 bits of exponent above 24 of a signed fraction
        whole = rows.view("<i4")
        return np.ldexp((whole << 8 >> 8).astype(np.float32), whole >> 24).astype("<f4").tobytes()
    if kind == "QUATERNION" and rows.shape[1] == 8:
        return _quaternions(rows.view("<i2").astype(np.int64)).astype("<i2").tobytes()
    if kind == "OCTAHEDRAL":  # normals and tangents, which nobody here reads
        return rows.tobytes()
    raise Damaged("compressed vertices have an unknown filter")


def _quaternions(stored: np.ndarray) -> np.ndarray:
    """stored (N, 4): three components in units of the fourth, whose last two bits say which one was left out."""
    unit, left_out = (stored[:, 3] | 3)[:, None], stored[:, 3] & 3
    three = stored[:, :3] / unit * np.sqrt(0.5)
    largest = np.sqrt(np.maximum(0.0, 1.0 - (three * three).sum(axis=1)))
    found = np.empty((len(stored), 4))
    every = np.arange(len(stored))
    found[every, left_out] = largest
    for column in range(3):
        found[every, (left_out + 1 + column) % 4] = three[:, column]
    return np.rint(found * 32767)


class _Numbers:
    """Variable-length numbers, seven bits a byte, the lowest first."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place

    def byte(self) -> int:
        """The next byte as it is."""
        self.place += 1
        return self.data[self.place - 1]

    def unsigned(self) -> int:
        """The next number of at most 32 bits."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        return value & 0xFFFFFFFF

    def signed(self) -> int:
        """The next difference."""
        value = self.unsigned()
        return value >> 1 ^ -(value & 1)


def _sequence(data: bytes, count: int, progress: Progress) -> list[int]:
    """Differences to one of two numbers that are remembered; the lowest bit says which."""
    if data[0] != 0xD1:
        raise Damaged("compressed indices begin with an unknown version")
    numbers, last, found = _Numbers(data, 1), [0, 0], []
    for number in range(count):
        if number % _STEPS_BETWEEN_LOOKS == 0:
            progress("read", 0, 1)
        value = numbers.unsigned()
        which, value = value & 1, value >> 1
        last[which] += value >> 1 ^ -(value & 1)
        found.append(last[which])
    return found


def _triangles(data: bytes, count: int, progress: Progress) -> list[int]:
    """A byte for each triangle: an edge of one of the last sixteen and where its third corner comes from, or three
    corners of which one or more are new."""
    if data[0] != 0xE1 or count % 3:
        raise Damaged("compressed triangles begin with an unknown version")
    corners = count // 3
    numbers, table = _Numbers(data, 1 + corners), data[-16:]
    edges, vertices = [(0, 0)] * 16, [0] * 16  # the newest first
    following = last = 0
    found: list[int] = []
    for number in range(corners):
        if number % _STEPS_BETWEEN_LOOKS == 0:
            progress("read", 0, 1)
        high, low = data[1 + number] >> 4, data[1 + number] & 15
        if high < 15:
            a, b = edges[high]
            if low == 0:
                c, following = following, following + 1
            elif low < 13:
                c = vertices[low]
            else:
                last = c = last + ((low - 14) * 2 + 1 if low < 15 else numbers.signed())
            if low == 0 or low >= 13:
                vertices = [c, *vertices[:15]]
            edges = [(a, c), (c, b), *edges[:14]]
            found += (a, b, c)
            continue
        sources = table[low] if low < 14 else numbers.byte()
        if low >= 14 and sources == 0:
            following = 0
        kinds = (15 if low == 15 else 0, sources >> 4, sources & 15)
        triangle = []
        for kind in kinds:
            if kind == 0:
                triangle.append(following)
                following += 1
            else:
                triangle.append(vertices[kind - 1] if kind < 15 else -1)
        for corner, kind in enumerate(kinds):
            if kind == 15:
                last = triangle[corner] = last + numbers.signed()
        a, b, c = triangle
        new = [triangle[corner] for corner, kind in enumerate(kinds) if kind in (0, 15)]
        vertices = [*reversed(new), *vertices][:16]
        edges = [(a, c), (c, b), (b, a), *edges[:13]]
        found += (a, b, c)
    return found
