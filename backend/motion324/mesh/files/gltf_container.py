"""Reads the container of glTF 2.0 (Khronos specification, 3.6 and 4): its JSON header, and accessors as numpy
arrays.
"""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import numpy as np

from motion324.core.files.foreign_names import file_beside, short
from motion324.core.progress import Progress, silent
from motion324.mesh.files.foreign import (
    MOST_HEADER_VALUES,
    MOST_IMAGE_BYTES,
    MOST_MESH_BYTES,
    MOST_NUMBERS,
    Damaged,
    read_regular,
    too_much,
)
from motion324.mesh.files.gltf_extensions import MESHOPT, check_required, refused, without_data
from motion324.mesh.files.meshopt import decode_meshopt

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


class GltfFile:
    """An opened .glb or .gltf: `header` is its JSON, `accessor(i)` and `image_bytes(i)` its data."""

    def __init__(self, path: Path, progress: Progress = silent) -> None:
        """Raises Motion324Error for what is too large or needs an unknown extension, ValueError for what is no glTF."""
        self.path = path
        self.progress = progress
        data = read_regular(path, MOST_MESH_BYTES, progress)
        text, self._binary = _split_glb(data) if data[:4] == b"glTF" else (data, None)
        # Each value in JSON stands after one of these; text in quotes, as embedded buffers are, has none.
        values = sum(text.count(mark) for mark in (b",", b"[", b"{"))
        if values > MOST_HEADER_VALUES:
            raise too_much(path, f"a header of {values:,} values", f"{MOST_HEADER_VALUES:,}")
        try:
            self.header = json.loads(text.decode("utf-8-sig").rstrip("\0"))  # some programs pad it with zeros
        except ValueError as error:
            raise Damaged("its header is not JSON") from error
        if not isinstance(self.header, dict) or not isinstance(self.header.get("asset"), dict):
            raise Damaged("it is not a glTF document")
        version = str(self.header["asset"].get("version", ""))
        if not version.startswith("2"):
            raise Damaged(f"it has glTF version {short(version, 20) or 'unknown'}; version 2.0 is needed")
        check_required(path, self.header.get("extensionsRequired", []))
        self._buffers: dict[int | str, bytes] = {}
        self._unpacked: dict[object, bytes] = {}
        self._numbers_left = MOST_NUMBERS

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The header's list of "nodes", "meshes", "materials" and so on; empty where there is none."""
        found = self.header.get(kind, [])
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise Damaged(f"its {kind} are no list of objects")
        return found

    def item(self, kind: str, index: object) -> dict[str, Any]:
        """Number `index` of the header's list `kind`."""
        listed = self.header.get(kind, [])
        if not isinstance(index, int) or not isinstance(listed, list) or not 0 <= index < len(listed):
            raise Damaged(f"it names number {short(str(index), 20)} of its {kind}, of which it has {len(listed)}")
        if not isinstance(listed[index], dict):
            raise Damaged(f"number {index} of its {kind} is no object")
        return listed[index]

    def accessor_count(self, index: object) -> int:
        """How many rows an accessor has, which costs nothing to ask."""
        return _natural(self.item("accessors", index).get("count"), "an accessor's count")

    def has_data(self, index: object) -> bool:
        """Whether the file itself has an accessor's values: without, they are zeros or compressed elsewhere."""
        accessor = self.item("accessors", index)
        return "bufferView" in accessor or "sparse" in accessor

    def dtype_of(self, index: object) -> tuple[np.dtype, int, bool]:
        """An accessor's components: their type, how many a row has, and whether whole numbers stand for fractions."""
        accessor = self.item("accessors", index)
        return (
            np.dtype(_COMPONENTS[accessor["componentType"]]),
            _WIDTHS[accessor["type"]],
            bool(accessor.get("normalized")),
        )

    def accessor(self, index: object) -> np.ndarray:
        """(count, width) array; normalised integers come as float32 in [0, 1] or [-1, 1]; sparse values are set in."""
        accessor = self.item("accessors", index)
        dtype, width, normalised = self.dtype_of(index)
        count = self.accessor_count(index)
        self._numbers_left -= count * width
        if self._numbers_left < 0:
            raise too_much(self.path, f"more than {MOST_NUMBERS:,} numbers in its accessors", f"{MOST_NUMBERS:,}")
        self.progress("read", 0, 1)
        if "bufferView" in accessor:
            values = self._strided(accessor["bufferView"], accessor.get("byteOffset", 0), dtype, count, width)
        else:
            values = np.broadcast_to(np.zeros((1, width), dtype), (count, width))
        if "sparse" in accessor:
            values = self._with_sparse(values, accessor["sparse"], dtype, width)
        return as_fractions(values) if normalised else values

    def view(self, index: object) -> memoryview:
        """The bytes of a buffer view."""
        view = self.item("bufferViews", index)
        extensions = view.get("extensions", {})
        if self._has_buffer(view.get("buffer")):
            return self._part(view)
        name = next((name for name in MESHOPT if name in extensions), None)
        if name is None:
            raise without_data(self.path, view, "its binary part is missing")
        if index not in self._unpacked:
            self._unpacked[index] = self._unpack(name, extensions[name])
        return memoryview(self._unpacked[index])

    def image_bytes(self, index: object) -> tuple[bytes, str]:
        """An image's file content and a name for messages. Raises OSError where a file is missing."""
        image = self.item("images", index)
        if "bufferView" in image:
            return bytes(self.view(image["bufferView"])), f"{self.path.name}, image {index}"
        uri = str(image["uri"])
        name = f"{self.path.name}, image {index}" if uri.startswith("data:") else short(unquote(uri))
        return self._uri(uri, MOST_IMAGE_BYTES), name

    def _unpack(self, extension: str, compressed: dict[str, Any]) -> bytes:
        data = bytes(self._part(compressed))
        self._numbers_left -= int(compressed["count"]) * int(compressed["byteStride"])
        if self._numbers_left < 0:
            raise too_much(self.path, f"more than {MOST_NUMBERS:,} numbers in its accessors", f"{MOST_NUMBERS:,}")
        try:
            return decode_meshopt(compressed, data, self.progress)
        except (ValueError, IndexError, OverflowError) as error:
            raise refused(self.path, extension, f"whose data cannot be decoded ({short(str(error))})") from error

    def _part(self, view: dict[str, Any]) -> memoryview:
        start = _natural(view.get("byteOffset", 0), "a buffer view's offset")
        length = _natural(view.get("byteLength"), "a buffer view's length")
        data = memoryview(self._buffer(view.get("buffer")))[start : start + length]
        if len(data) < length:
            raise Damaged("a buffer is shorter than the header says; the file is damaged or cut short")
        return data

    def _with_sparse(self, values: np.ndarray, sparse: dict[str, Any], dtype: np.dtype, width: int) -> np.ndarray:
        where, what = sparse["indices"], sparse["values"]
        count = _natural(sparse.get("count"), "the count of sparse values")
        index_type = np.dtype(_COMPONENTS[where["componentType"]])
        rows = self._strided(where["bufferView"], where.get("byteOffset", 0), index_type, count, 1)[:, 0]
        if index_type.kind != "u" or (count and int(rows.max()) >= len(values)):
            raise Damaged("an accessor's sparse values stand at places that do not exist; the file is damaged")
        values = values.copy()
        values[rows] = self._strided(what["bufferView"], what.get("byteOffset", 0), dtype, count, width)
        return values

    def _strided(self, view: object, offset: object, dtype: np.dtype, count: int, width: int) -> np.ndarray:
        data = self.view(view)
        row = dtype.itemsize * width
        start = _natural(offset, "an accessor's offset")
        stride = _natural(self.item("bufferViews", view).get("byteStride", 0), "a buffer view's stride") or row
        if count and start + (count - 1) * stride + row > len(data):
            raise Damaged("an accessor reaches beyond the end of its buffer; the file is damaged or cut short")
        if not count:
            return np.zeros((0, width), dtype)
        return np.ndarray((count, width), dtype, data, start, (stride, dtype.itemsize))

    def _has_buffer(self, index: object) -> bool:
        return "uri" in self.item("buffers", index) or (index == 0 and self._binary is not None)

    def _buffer(self, index: object) -> bytes:
        uri = self.item("buffers", index).get("uri")
        key: int | str = str(uri) if uri is not None else 0
        if key not in self._buffers:
            if uri is None and (self._binary is None or index != 0):
                raise Damaged("its binary part is missing")
            self._buffers[key] = self._uri(str(uri), MOST_MESH_BYTES) if uri is not None else self._binary or b""
        return self._buffers[key]

    def _uri(self, uri: str, most: int) -> bytes:
        if uri.startswith("data:"):
            kind, comma, content = uri.partition(",")
            if not comma:
                raise Damaged("embedded data has no content")
            try:
                return base64.b64decode(content) if kind.endswith(";base64") else unquote_to_bytes(content)
            except ValueError as error:
                raise Damaged("its embedded data is not base64") from error
        return read_regular(file_beside(self.path, unquote(uri)), most, self.progress)


def as_fractions(values: np.ndarray) -> np.ndarray:
    """Normalised integers -> float32 in [0, 1] or [-1, 1] (glTF 2.0, 3.6.2.2); others as they are."""
    if values.dtype.kind not in "iu":
        return values
    fractions = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return np.maximum(fractions, -1.0 if values.dtype.kind == "i" else 0.0)


def _natural(value: object, what: str) -> int:
    if isinstance(value, float) and value.is_integer():  # some programs write 12.0
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**48:
        raise Damaged(f"{what} is {short(str(value), 20)}")
    return value


def _split_glb(data: bytes) -> tuple[bytes, bytes | None]:
    """GLB: 12 bytes of header, then chunks of (length, type, content)."""
    version = int.from_bytes(data[4:8], "little")
    if version != 2:
        raise Damaged(f"it has glTF version {version}; version 2.0 is needed")
    chunks: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= len(data):
        length, kind = struct.unpack_from("<I4s", data, position)
        if position + 8 + length > len(data):
            raise Damaged("it ends in the middle; it is damaged or cut short")
        if kind not in chunks and kind in (b"JSON", b"BIN\0"):
            chunks[kind] = data[position + 8 : position + 8 + length]
        position += 8 + length
    if b"JSON" not in chunks:
        raise Damaged("it has no JSON header")
    return chunks[b"JSON"], chunks.get(b"BIN\0")
