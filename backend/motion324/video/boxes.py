"""What an MP4 or MOV file says about itself without being decoded (ISO 14496-12: boxes of size, type, content)."""

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
