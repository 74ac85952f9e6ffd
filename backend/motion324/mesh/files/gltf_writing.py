"""Writes a ReferenceMesh as .glb, still or moving: glTF 2.0 with morph targets, one for each frame after the first.

The vertices keep their order, as motion324.mesh.files.gltf_reading reads them back; those with several texture
coordinates are split, each next to its like.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motion324 import __version__
from motion324.core.files.write_aside import written_aside
from motion324.core.reference_mesh import Material, ReferenceMesh, turned_y_up
from motion324.core.srgb import srgb_to_linear
from motion324.mesh.surface import moving_normals

_FLOAT, _UNSIGNED = 5126, 5125
_VERTICES, _INDICES = 34962, 34963
_WRAP, _LINEAR, _MIPMAPS = 10497, 9729, 9987


def write_glb(
    path: Path,
    mesh: ReferenceMesh,
    positions: np.ndarray | None = None,
    fps: float = 24.0,
    second_uv: np.ndarray | None = None,
    placing: Placing | None = None,
) -> None:
    """positions (T, N, 3): of an animation, of which frame 0 is the mesh's own; in the mesh's coordinates.

    second_uv (N, 2): texture coordinates from the upper left corner, beside the mesh's own. placing: how the mesh as a
    whole moves, at `fps` frames a second.
    A mesh with Z up is turned to glTF's Y up. Raises Motion324Error("cannot-write" or "disk-full").
    """
    mesh, source = split_by_uv(mesh)
    second_uv = None if second_uv is None else second_uv[source]
    poses = turned_y_up(mesh.positions[None] if positions is None else positions[:, source], mesh.up).astype(np.float32)
    binary = _Binary()
    primitives = _primitives(mesh, poses, second_uv, binary)
    name = mesh.name
    header: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"Motion324 for Blender {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"name": name, "primitives": primitives}],
        **_materials(mesh.materials, binary),
    }
    if len(poses) > 1:
        header["meshes"][0]["weights"] = [0.0] * (len(poses) - 1)
        header["meshes"][0]["extras"] = {"targetNames": [f"frame {index}" for index in range(1, len(poses))]}
    animation = _animation(len(poses), fps, placing, binary)
    if animation:
        header["animations"] = [{"name": name, **animation}]
    header |= {"accessors": binary.accessors, "bufferViews": binary.views, "buffers": [{"byteLength": binary.size}]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + binary.size))
        file.write(struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", binary.size, b"BIN\0"))
        for part in binary.parts:
            file.write(part)


@dataclass(frozen=True)
class Placing:
    """How a mesh as a whole moves, in glTF's axes. translations (T, 3); rotations (T, 4): quaternions w, x, y, z."""

    translations: np.ndarray
    rotations: np.ndarray


def split_by_uv(mesh: ReferenceMesh) -> tuple[ReferenceMesh, np.ndarray]:
    """The mesh with one texture coordinate a vertex, and (M,) which of the former vertices each is.

    A mesh in which that is so already comes back as it is.
    """
    whole = np.arange(len(mesh.positions))
    if mesh.corner_uv is None:
        return mesh, whole
    corners = mesh.faces.ravel()
    rows = np.concatenate([corners[:, None], mesh.corner_uv.reshape(-1, 2)], axis=1)
    unique, place = np.unique(rows.astype(np.float64), axis=0, return_inverse=True)
    source = unique[:, 0].astype(np.int64)
    if len(np.unique(source)) == len(source):
        return mesh, whole
    split = dataclasses.replace(
        mesh,
        positions=mesh.positions[source],
        faces=place.reshape(-1, 3).astype(np.int32),
        vertex_colour=None if mesh.vertex_colour is None else mesh.vertex_colour[source],
    )
    return split, source


class _Binary:
    """The file's second chunk, and what the header says of it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        self.views.append({"buffer": 0, "byteOffset": self.size, "byteLength": len(data)})
        if target is not None:
            self.views[-1]["target"] = target
        self.parts += [data, bytes(-len(data) % 4)]
        self.size += len(data) + -len(data) % 4
        return len(self.views) - 1

    def array(self, values: np.ndarray, kind: str, target: int | None = None, bounds: bool = False) -> int:
        whole = values.dtype.kind in "iu"
        stored = np.ascontiguousarray(values, "<u4" if whole else "<f4")
        accessor: dict[str, Any] = {
            "bufferView": self.view(stored.tobytes(), target),
            "componentType": _UNSIGNED if whole else _FLOAT,
            "count": len(stored),
            "type": kind,
        }
        if bounds:
            columns = stored.reshape(len(stored), -1)
            accessor |= {"min": columns.min(axis=0).tolist(), "max": columns.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _primitives(
    mesh: ReferenceMesh, poses: np.ndarray, second_uv: np.ndarray | None, binary: _Binary
) -> list[dict[str, Any]]:
    """One for each material; all share the vertices."""
    attributes = {
        "POSITION": binary.array(poses[0], "VEC3", _VERTICES, bounds=True),
        "NORMAL": binary.array(_normals(poses[0], mesh.faces), "VEC3", _VERTICES),
    }
    if mesh.corner_uv is not None or second_uv is not None:  # a second one without a first is no glTF
        uv = np.zeros((len(mesh.positions), 2), np.float32)
        if mesh.corner_uv is not None:
            uv[mesh.faces.ravel()] = mesh.corner_uv.reshape(-1, 2)
            uv[:, 1] = 1 - uv[:, 1]
        attributes["TEXCOORD_0"] = binary.array(uv, "VEC2", _VERTICES)
    if second_uv is not None:
        attributes["TEXCOORD_1"] = binary.array(second_uv.astype(np.float32), "VEC2", _VERTICES)
    if mesh.vertex_colour is not None:
        attributes["COLOR_0"] = binary.array(srgb_to_linear(mesh.vertex_colour).astype(np.float32), "VEC3", _VERTICES)
    targets = [{"POSITION": binary.array(pose - poses[0], "VEC3", _VERTICES, bounds=True)} for pose in poses[1:]]
    primitives = []
    for material in np.unique(mesh.face_material):
        faces = mesh.faces[mesh.face_material == material]
        primitive = {
            "attributes": attributes,
            "indices": binary.array(faces.ravel(), "SCALAR", _INDICES),
            "material": int(material),
        }
        primitives.append({**primitive, "targets": targets} if targets else primitive)
    return primitives


def _animation(frames: int, fps: float, placing: Placing | None, binary: _Binary) -> dict[str, Any]:
    """Frame t is shown at t / fps seconds, with target t - 1 alone; frame 0 with none. Empty where nothing moves."""
    curves: dict[str, tuple[np.ndarray, str]] = {}
    if frames > 1:
        curves["weights"] = np.eye(frames, frames - 1, k=-1, dtype=np.float32).ravel(), "SCALAR"
    if placing is not None:
        curves["translation"] = placing.translations, "VEC3"
        curves["rotation"] = placing.rotations[:, [1, 2, 3, 0]], "VEC4"
        frames = len(placing.translations)
    if not curves:
        return {}
    times = binary.array(np.arange(frames, dtype=np.float32) / np.float32(fps), "SCALAR", bounds=True)
    return {
        "samplers": [
            {"input": times, "output": binary.array(values, kind), "interpolation": "LINEAR"}
            for values, kind in curves.values()
        ],
        "channels": [{"sampler": k, "target": {"node": 0, "path": path}} for k, path in enumerate(curves)],
    }


def _materials(materials: tuple[Material, ...], binary: _Binary) -> dict[str, Any]:
    listed: dict[str, list[dict[str, Any]]] = {"materials": [], "textures": [], "images": [], "samplers": []}
    written: dict[int, int] = {}
    for material in materials:
        red, green, blue = srgb_to_linear(np.array(material.base_colour[:3])).tolist()
        surface: dict[str, Any] = {
            "baseColorFactor": [red, green, blue, float(material.base_colour[3])],
            "metallicFactor": 0.0,
            "roughnessFactor": 1.0,
        }
        if material.texture is not None:
            if id(material.texture) not in written:  # materials may share one
                written[id(material.texture)] = len(listed["textures"])
                view = binary.view(_png(material.texture))
                listed["textures"].append({"source": len(listed["images"]), "sampler": 0})
                listed["images"].append({"bufferView": view, "mimeType": "image/png", "name": material.name})
                listed["samplers"] = [{"magFilter": _LINEAR, "minFilter": _MIPMAPS, "wrapS": _WRAP, "wrapT": _WRAP}]
            surface["baseColorTexture"] = {"index": written[id(material.texture)]}
        listed["materials"].append({"name": material.name, "pbrMetallicRoughness": surface, "doubleSided": True})
    return {key: values for key, values in listed.items() if values}


def _png(texture: np.ndarray) -> bytes:
    done, png = cv2.imencode(".png", cv2.cvtColor(texture, cv2.COLOR_RGBA2BGRA))
    if not done:
        raise ValueError("OpenCV cannot encode PNG")
    return np.asarray(png).tobytes()


def _normals(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(N, 3) float32 unit normals; up, where no face has any."""
    normals = moving_normals(positions[None], faces)[0]
    normals[~normals.any(axis=1)] = (0, 0, 1)
    return normals
