"""Writes small GLB files piece by piece."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
TWO_TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]], np.uint16)


class Glb:
    """Writes a GLB piece by piece."""

    def __init__(self) -> None:
        self.binary = b""
        self.more_buffers: list[dict] = []
        self.header: dict = {"asset": {"version": "2.0"}, "scene": 0, "bufferViews": [], "accessors": []}

    def view(self, data: bytes, **extra: int) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data), **extra}
        self.header["bufferViews"].append(view)
        self.binary += data
        return len(self.header["bufferViews"]) - 1

    def accessor(self, array: np.ndarray, **extra: object) -> int:
        kinds = {"float32": 5126, "uint16": 5123, "uint32": 5125, "uint8": 5121, "int16": 5122}
        array = np.ascontiguousarray(array)
        width = 1 if array.ndim == 1 else array.shape[1]
        kind = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}[width]
        component = kinds[array.dtype.name]
        view = self.view(array.tobytes())
        accessor = {"bufferView": view, "componentType": component, "count": len(array), "type": kind, **extra}
        self.header["accessors"].append(accessor)
        return len(self.header["accessors"]) - 1

    def image(self, pixels: np.ndarray) -> dict:
        from PIL import Image  # here, since Blender's Python has none

        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "PNG")
        return {"bufferView": self.view(data.getvalue()), "mimeType": "image/png"}

    def write(self, path: Path) -> Path:
        self.header["buffers"] = [{"byteLength": len(self.binary)}, *self.more_buffers]
        text = json.dumps(self.header).encode()
        text += b" " * (-len(text) % 4)
        binary = self.binary + b"\0" * (-len(self.binary) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
        path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)
        return path


def quad_glb(**primitive: object) -> Glb:
    glb = Glb()
    attributes = {"POSITION": glb.accessor(CORNERS)}
    glb.header["meshes"] = [
        {"primitives": [{"attributes": attributes, "indices": glb.accessor(TWO_TRIANGLES.ravel()), **primitive}]}
    ]
    glb.header["nodes"] = [{"mesh": 0}]
    glb.header["scenes"] = [{"nodes": [0]}]
    return glb
