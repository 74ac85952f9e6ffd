"""Writes pictures of more than eight bits for programs that read numbers out of them: half-float EXR and 16-bit PNG.

Standard library and numpy only, since Blender's Python writes them, too. Of OpenEXR's file layout
(https://openexr.com/en/latest/OpenEXRFileLayout.html) this is the one-part scan-line file with ZIP compression; of PNG
(ISO/IEC 15948) the truecolour picture of 16 bits, whose rows are filtered by the row above ("Up").
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from motion324.core.files.write_aside import written_aside

_EXR_MAGIC, _EXR_VERSION = 20000630, 2
_HALF, _ZIP = 1, 3
_ROWS_OF_ZIP = 16  # of a compressed block
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_TRUECOLOUR, _UP = 2, 2


def write_exr(path: Path, pixels: np.ndarray) -> None:
    """pixels (H, W, 3) float16: R, G, B, row 0 on top. Raises Motion324Error("cannot-write" or "disk-full")."""
    height, width = pixels.shape[:2]
    stored = np.ascontiguousarray(pixels.astype("<f2")[..., ::-1].transpose(0, 2, 1))  # rows of all B, all G, all R
    blocks = []
    for first in range(0, height, _ROWS_OF_ZIP):
        data = _zipped(stored[first : first + _ROWS_OF_ZIP].tobytes())
        blocks.append(struct.pack("<ii", first, len(data)) + data)
    head = _exr_header(width, height)
    starts = len(head) + 8 * len(blocks) + np.cumsum([0, *(len(block) for block in blocks[:-1])])
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(head + starts.astype("<u8").tobytes())
        for block in blocks:
            file.write(block)


def _exr_header(width: int, height: int) -> bytes:
    channel = struct.pack("<iBxxxii", _HALF, 0, 1, 1)
    channels = b"".join(name + b"\0" + channel for name in (b"B", b"G", b"R")) + b"\0"
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = (
        (b"channels", b"chlist", channels),
        (b"compression", b"compression", bytes([_ZIP])),
        (b"dataWindow", b"box2i", window),
        (b"displayWindow", b"box2i", window),
        (b"lineOrder", b"lineOrder", bytes([0])),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1.0)),
        (b"screenWindowCenter", b"v2f", struct.pack("<2f", 0.0, 0.0)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1.0)),
    )
    said = (name + b"\0" + kind + b"\0" + struct.pack("<i", len(data)) + data for name, kind, data in attributes)
    return struct.pack("<ii", _EXR_MAGIC, _EXR_VERSION) + b"".join(said) + b"\0"


def _zipped(raw: bytes) -> bytes:
    """Low bytes before high bytes, each as its difference from the one before; as it is where that saves nothing."""
    values = np.frombuffer(raw, np.uint8)
    apart = np.concatenate([values[::2], values[1::2]])
    apart[1:] = apart[1:] - apart[:-1] + np.uint8(128)
    packed = zlib.compress(apart.tobytes(), 6)
    return packed if len(packed) < len(raw) else raw


def write_png16(path: Path, pixels: np.ndarray) -> None:
    """pixels (H, W, 3) uint16: R, G, B, row 0 on top. Raises Motion324Error("cannot-write" or "disk-full")."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels.astype(">u2")).view(np.uint8).reshape(height, 6 * width)
    filtered = np.empty((height, 1 + 6 * width), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]
    head = struct.pack(">IIBBBBB", width, height, 16, _TRUECOLOUR, 0, 0, 0)
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(_PNG_MAGIC)
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
