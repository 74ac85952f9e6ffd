"""Says what the boxes of an MP4 or MOV and the chunks of an AVI tell of the file, without decoding it.

A box (ISO 14496-12) is size, type, content, big-endian; a chunk (RIFF) is type, size, content, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

_LONGEST_INDEX = 64 << 20  # bytes of a moov box that are looked at


def is_boxed(path: Path) -> bool:
    """Whether this is an MP4 or MOV file, by its name."""
    return path.suffix.lower() in (".mp4", ".mov", ".m4v")


def ends_inside_a_box(path: Path) -> bool:
    """Whether an MP4 or MOV file is shorter than its boxes say."""
    return max((end for _, _, end in _boxes(path)), default=0) > path.stat().st_size


def codec_tag(path: Path) -> str:
    """The four letters by which a file names its video's codec, for one that no decoder is known for; or ""."""
    for kind, start, end in _boxes(path):
        if kind != b"moov":
            continue
        with path.open("rb") as file:
            file.seek(start)
            index = file.read(min(end - start, _LONGEST_INDEX))
        for track in index.split(b"trak")[1:]:
            place = track.find(b"stsd")
            if b"vide" in track and place >= 0:
                tag = track[place + 16 : place + 20]  # version and flags, a count, the entry's size
                return tag.decode("ascii") if tag.isascii() and tag.decode("ascii").isprintable() else ""
    return ""


def is_whole_avi(path: Path) -> bool:
    """Whether an AVI has its index, and is as long as it says."""
    length, place, has_index = path.stat().st_size, 0, False
    with path.open("rb") as file:
        while place + 12 <= length:  # one after another, where it is longer than a gigabyte
            file.seek(place)
            kind, size = struct.unpack("<4sI", file.read(8))
            end = place + 8 + size
            if kind != b"RIFF" or end > length:
                return False
            inside = place + 12
            while not has_index and inside + 8 <= end:
                file.seek(inside)
                kind, size = struct.unpack("<4sI", file.read(8))
                has_index = kind == b"idx1"
                inside += 8 + size + size % 2
            place = end + end % 2
    return has_index


def _boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Type, first and last byte of the outermost boxes, up to one that reaches to the end of the file anyway."""
    length = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while position + 8 <= length:
            file.seek(position)
            size, kind = struct.unpack(">I4s", file.read(8))
            if size == 1 and position + 16 <= length:
                (size,) = struct.unpack(">Q", file.read(8))
            if size == 0 or not kind.strip(b"\0"):
                return
            yield kind, position, position + max(size, 8)
            position += max(size, 8)
