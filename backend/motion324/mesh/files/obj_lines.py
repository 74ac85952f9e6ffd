"""The lines of OBJ and MTL files, as every program and system writes them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from motion324.core.progress import Progress

_BLOCK = 2**20  # bytes that are decoded at a time


def logical_lines(data: bytes, progress: Progress) -> Iterator[str]:
    """Lines without their ends (LF, CR LF or CR), those that end with a backslash joined to the next by a space.

    UTF-8, with a byte order mark or without, or UTF-16; what is neither comes with replacement characters.
    """
    data = _as_utf8(data)
    joined: list[str] = []
    for block in _blocks(data):
        progress("read", 0, 1)
        for line in block.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
            if line.endswith("\\"):
                joined += [line[:-1], " "]
            elif joined:
                yield "".join([*joined, line])
                joined.clear()
            else:
                yield line
    if joined:
        yield "".join(joined)


def _as_utf8(data: bytes) -> bytes:
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace").encode()
    start = data[:512]  # without a mark: in UTF-16 every second byte of plain letters is zero
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[0::2])):
        if len(start) > 3 and zeros.count(0) > 0.9 * len(zeros):
            return data.decode(encoding, errors="replace").encode()
    return data


def _blocks(data: bytes) -> Iterator[bytes]:
    """About _BLOCK bytes each, cut after line ends, which the blocks do not hold."""
    start = 0
    while start < len(data):
        cut = _last_end(data, start, min(start + _BLOCK, len(data))) if len(data) - start > _BLOCK else len(data)
        if cut < 0:
            cut = _first_end(data, start + _BLOCK)
        if data[cut : cut + 2] == b"\r\n":
            yield data[start:cut]
            start = cut + 2
        else:
            yield data[start:cut]
            start = cut + 1


def _last_end(data: bytes, start: int, stop: int) -> int:
    """The last LF or CR of data[start:stop], -1 for none; of a CR LF the CR."""
    place = max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop))
    return place - 1 if place > start and data[place - 1 : place + 1] == b"\r\n" else place


def _first_end(data: bytes, start: int) -> int:
    ends = [place for mark in (b"\n", b"\r") if (place := data.find(mark, start)) >= 0]
    return min(ends, default=len(data))
