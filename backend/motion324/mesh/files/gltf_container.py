"""The container of glTF 2.0 (Khronos specification, 3.6 and 4): its JSON header, and accessors as numpy arrays."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from motion324.mesh.checks import bad_mesh

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
# What this reader knows; other *required* extensions change the geometry in ways that it cannot follow.
_KNOWN_REQUIRED = {
    "KHR_mesh_quantization",
    "KHR_texture_transform",
    "EXT_texture_webp",
    "KHR_texture_basisu",
    "KHR_lights_punctual",
}


class GltfFile:
    """An opened .glb or .gltf: `header` is its JSON, `accessor(i)` and `image_bytes(i)` its data."""

    def __init__(self, path: Path) -> None:
        """Raises Motion324Error("mesh-unreadable") for what is not glTF 2.0 or uses an unknown compression."""
        self.path = path
        data = path.read_bytes()
        self._binary: bytes | None = None
        if data[:4] == b"glTF":
            self.header, self._binary = _split_glb(data)
        else:
            self.header = json.loads(data.decode("utf-8-sig"))
        if not isinstance(self.header, dict) or "asset" not in self.header:
            raise ValueError("it is not a glTF document")
        version = str(self.header["asset"].get("version", ""))
        if not version.startswith("2"):
            raise ValueError(f"it has glTF version {version or 'unknown'}; version 2.0 is needed")
        self._refuse_unknown_extensions()
        self._buffers: dict[int, bytes] = {}

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The header's list of "nodes", "meshes", "materials" and so on; empty where there is none."""
        return list(self.header.get(kind, []))

    def accessor(self, index: int) -> np.ndarray:
        """(count, width) array; normalised integers come as float32 in [0, 1] or [-1, 1]; sparse values are set in."""
        accessor = self.header["accessors"][index]
        dtype, width = np.dtype(_COMPONENTS[accessor["componentType"]]), _WIDTHS[accessor["type"]]
        count = int(accessor["count"])
        if "bufferView" in accessor:
            values = self._strided(accessor["bufferView"], accessor.get("byteOffset", 0), dtype, count, width)
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in accessor:
            values = self._with_sparse(values, accessor["sparse"], dtype, width)
        if accessor.get("normalized") and dtype.kind in "iu":
            top = np.iinfo(dtype).max
            return np.maximum(values.astype(np.float32) / np.float32(top), -1.0 if dtype.kind == "i" else 0.0)
        return values

    def image_bytes(self, index: int) -> tuple[bytes, str]:
        """An image's file content and a name for messages."""
        image = self.header["images"][index]
        if "bufferView" in image:
            return self._view(image["bufferView"]), f"{self.path.name}, image {index}"
        return self._uri(image["uri"]), image["uri"][:60]

    def _refuse_unknown_extensions(self) -> None:
        for name in self.header.get("extensionsRequired", []):
            if name.startswith("KHR_materials_") or name in _KNOWN_REQUIRED:
                continue
            raise bad_mesh(
                "mesh-unreadable",
                f"The mesh file '{self.path}' needs the glTF extension {name}, which cannot be read.",
                "Export it again without compression, for example through Blender.",
            )

    def _with_sparse(self, values: np.ndarray, sparse: dict[str, Any], dtype: np.dtype, width: int) -> np.ndarray:
        where, what, count = sparse["indices"], sparse["values"], int(sparse["count"])
        index_type = np.dtype(_COMPONENTS[where["componentType"]])
        rows = self._strided(where["bufferView"], where.get("byteOffset", 0), index_type, count, 1)[:, 0]
        values = values.copy()
        values[rows] = self._strided(what["bufferView"], what.get("byteOffset", 0), dtype, count, width)
        return values

    def _strided(self, view: int, offset: int, dtype: np.dtype, count: int, width: int) -> np.ndarray:
        data = self._view(view)
        row = dtype.itemsize * width
        stride = self.header["bufferViews"][view].get("byteStride") or row
        if count and offset + (count - 1) * stride + row > len(data):
            raise ValueError("an accessor reaches beyond the end of its buffer; the file is damaged or cut short")
        if not count:
            return np.zeros((0, width), dtype)
        return np.ndarray((count, width), dtype, data, offset, (stride, dtype.itemsize))

    def _view(self, index: int) -> bytes:
        view = self.header["bufferViews"][index]
        start = view.get("byteOffset", 0)
        data = self._buffer(view["buffer"])[start : start + view["byteLength"]]
        if len(data) < view["byteLength"]:
            raise ValueError("a buffer is shorter than the header says; the file is damaged or cut short")
        return data

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            uri = self.header["buffers"][index].get("uri")
            if uri is None and self._binary is None:
                raise ValueError("its binary part is missing")
            self._buffers[index] = self._uri(uri) if uri is not None else self._binary  # type: ignore[assignment]
        return self._buffers[index]

    def _uri(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode(uri.split(",", 1)[1])
        return (self.path.parent / unquote(uri)).read_bytes()


def _split_glb(data: bytes) -> tuple[dict[str, Any], bytes | None]:
    """GLB: 12 bytes of header, then chunks of (length, type, content)."""
    chunks: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= len(data):
        length, kind = struct.unpack_from("<I4s", data, position)
        content = data[position + 8 : position + 8 + length]
        if len(content) < length:
            raise ValueError("it ends in the middle; it is damaged or cut short")
        chunks.setdefault(kind, content)
        position += 8 + length
    if b"JSON" not in chunks:
        raise ValueError("it has no JSON header")
    return json.loads(chunks[b"JSON"]), chunks.get(b"BIN\0")
