"""Writes named arrays as one safetensors buffer without copying them, and reads them as views.

The layout is safetensors' own: 8 bytes with the header's length (little-endian), the header as JSON
(name -> dtype, shape, data_offsets), then the arrays' bytes without gaps. https://huggingface.co/docs/safetensors
The safetensors package copies every array into one `bytes` when it writes; here hundreds of megabytes go to a socket.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BACKEND, Motion324Error

MAX_HEADER_BYTES = 4 << 20
MAX_DIMENSIONS = 8
MAX_NAME_LENGTH = 200
_LENGTH = struct.Struct("<Q")
_DTYPES: dict[str, np.dtype] = {
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def to_buffers(arrays: Mapping[str, np.ndarray]) -> list[memoryview]:
    """The safetensors buffer as pieces to be written one after the other; contiguous arrays are not copied.

    Wide types come first, so that every array lies aligned for whoever reads it as a view.
    Raises TypeError for an array whose dtype safetensors does not know.
    """
    prepared = {name: _little_endian(array) for name, array in arrays.items()}
    order = sorted(prepared, key=lambda name: (-prepared[name].itemsize, name))
    header: dict[str, Any] = {}
    pieces: list[memoryview] = []
    offset = 0
    for name in order:
        array = prepared[name]
        if array.dtype not in _NAMES:
            raise TypeError(f"array {name} has the dtype {array.dtype}, which safetensors does not know")
        end = offset + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
        if array.nbytes:
            pieces.append(array.reshape(-1).view(np.uint8).data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return [memoryview(_LENGTH.pack(len(text)) + text), *pieces]


def from_buffer(buffer: np.ndarray, max_arrays: int) -> dict[str, np.ndarray]:
    """buffer (B,) uint8, a whole safetensors buffer -> its arrays by name, as views into it.

    Every length, offset, dtype and shape is checked before it is used: arrays must tile the data without gaps or
    overlaps. Raises Motion324Error("bad-message") that says what is wrong.
    """
    if buffer.size < _LENGTH.size:
        raise malformed(f"the arrays take {buffer.size} bytes, which is too short for a header")
    (length,) = _LENGTH.unpack(buffer[: _LENGTH.size].tobytes())
    start = _LENGTH.size + length
    if length > MAX_HEADER_BYTES or start > buffer.size:
        raise malformed(f"the arrays' header claims {length} bytes")
    header = _parse_header(buffer[_LENGTH.size : start].tobytes())
    if len(header) > max_arrays:
        raise malformed(f"there are {len(header)} arrays, where at most {max_arrays} are allowed")

    data = buffer[start:]
    arrays: dict[str, np.ndarray] = {}
    entries = sorted((_entry(name, entry) for name, entry in header.items()), key=lambda e: (e[3], e[4]))
    expected = 0
    for name, dtype, shape, begin, end in entries:
        if begin != expected or end > data.size:
            raise malformed(f"array {name!r} claims bytes {begin} to {end} of {data.size}, expected from {expected}")
        try:
            arrays[name] = data[begin:end].view(dtype).reshape(shape)
        except ValueError as error:  # an empty array whose other dimensions are absurd
            raise malformed(f"array {name!r} has the shape {list(shape)}") from error
        expected = end
    if expected != data.size:
        raise malformed(f"{data.size - expected} bytes belong to no array")
    return arrays


def malformed(what: str) -> Motion324Error:
    return Motion324Error(
        "bad-message",
        f"A message between Blender and the backend cannot be read: {what}.",
        "Make sure that nothing else talks to the backend's port, and start the backend again.",
        EXIT_BACKEND,
    )


def _little_endian(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array, order="C")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _parse_header(text: bytes) -> dict[str, Any]:
    if not text.startswith(b"{"):
        raise malformed("the arrays' header is not a JSON object")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise malformed("the arrays' header is not JSON, or names an array twice") from error
    header.pop("__metadata__", None)
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dict. Raises ValueError where a name comes twice: two readers could then disagree."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name comes twice")
    return values


def _entry(name: str, entry: Any) -> tuple[str, np.dtype, tuple[int, ...], int, int]:
    """(name, dtype, shape, begin, end) of one array, whose size agrees with its dtype and shape."""
    if len(name) > MAX_NAME_LENGTH:
        raise malformed(f"an array's name has {len(name)} letters")
    if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str) or entry["dtype"] not in _DTYPES:
        raise malformed(f"array {name!r} has no known dtype")
    shape, offsets = _sizes(entry.get("shape")), _sizes(entry.get("data_offsets"))
    if shape is None or len(shape) > MAX_DIMENSIONS or offsets is None or len(offsets) != 2:
        raise malformed(f"array {name!r} has no proper shape or place")
    dtype = _DTYPES[entry["dtype"]]
    begin, end = offsets
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise malformed(f"array {name!r} takes {end - begin} bytes, which its shape and dtype contradict")
    return name, dtype, shape, begin, end


def _sizes(values: Any) -> tuple[int, ...] | None:
    if isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 48 for value in values):
        return tuple(values)
    return None
