"""Estimates how large an export will be, from a few of its frames."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from motion324.core.inside_blender.mesh.surface import corner_vertices_of, positions_of

from ..reading import modifier_stack
from .sampling import positions_at
from .stand_in import images_of

LOOKS = 5  # frames that are looked at
NORMAL_DEFLATED = 4.7  # bytes of a normal's double, which holds no more than a float does
MOVED = 1e-6  # of the object's size: the exporters leave out what moves by less, or store it in no space


@dataclass(frozen=True)
class _Looked:
    """first (N, 3): positions in the first frame. others (L, N, 3): in some later ones."""

    first: np.ndarray
    others: np.ndarray
    frames: int

    @property
    def offsets(self) -> np.ndarray:
        """(L, N, 3) float32: what a shape key holds."""
        return self.others - self.first

    @property
    def moving(self) -> np.ndarray:
        """(L, N) bool: which vertices a shape key moves."""
        size = max(float(np.ptp(self.first, axis=0).max()), 1e-30)
        return (np.abs(self.offsets) > MOVED * size).any(axis=2)


@dataclass(frozen=True)
class Expected:
    """Of a file that is to be written. bytes: as `estimate` has it. least: it cannot be smaller, even if nothing moves
    and all of it is compressed well. frames: that it shows.
    """

    bytes: int
    least: int
    frames: int


def expected(objects: Sequence[bpy.types.Object], suffix: str, first: int, last: int) -> Expected:
    """What is known of the file that `export.export` is to write, as `estimate`."""
    likely = estimate(objects, suffix, first, last)
    least = likely if suffix in (".pc2", ".mdd") else sum(_least(obj, suffix) for obj in objects)
    return Expected(likely, least, last - first + 1)


def _least(obj: bpy.types.Object, suffix: str) -> int:
    """Half of what one still mesh takes; of an FBX, which is deflated, as much as is left of its positions."""
    with modifier_stack.evaluated_mesh(obj) as mesh:
        shown = positions_of(mesh)
    if suffix == ".fbx":
        return _deflated(shown[: len(obj.data.vertices)].astype(np.float64)) // 4
    if suffix == ".glb":
        return 6 * len(np.unique(modifier_stack.corner_vertices_of(obj.data)))
    return 6 * len(shown)


def estimate(objects: Sequence[bpy.types.Object], suffix: str, first: int, last: int) -> int:
    """Bytes of the file that `export.export` would write, within 30 percent for animations that go on like a few of
    their frames. Takes as long as showing LOOKS frames; the scene's frame is put back.
    """
    return round(sum(_of_one(obj, suffix, first, last) for obj in objects))


def of_blend() -> int:
    """Bytes that a .blend of what is open has at least: those of its meshes and their shape keys."""
    keys = sum(len(each.key_blocks) * len(each.reference_key.data) for each in bpy.data.shape_keys if each.key_blocks)
    return 12 * (keys + sum(len(mesh.vertices) for mesh in bpy.data.meshes))


def of_rig(objects: Sequence[bpy.types.Object], armatures: Sequence[bpy.types.Object], frames: int) -> int:
    """Bytes, about, of a file of objects with the armatures that move them: places, normals, a skin and keys."""
    pictures = sum(_picture_bytes(image) for image in images_of(objects))
    vertices, bones = sum(len(obj.data.vertices) for obj in objects), sum(len(each.data.bones) for each in armatures)
    return 150 * vertices + 40 * bones * frames + pictures


def of_point_cache(objects: Sequence[bpy.types.Object], first: int, last: int) -> int:
    """Bytes of PC2 point caches of the objects, exactly and at once."""
    return sum(32 + 12 * len(obj.data.vertices) * (last - first + 1) for obj in objects)


def _of_one(obj: bpy.types.Object, suffix: str, first: int, last: int) -> float:
    frames = last - first + 1
    vertices = len(obj.data.vertices)
    if suffix == ".pc2":
        return of_point_cache([obj], first, last)
    if suffix == ".mdd":
        return 8 + (4 + 12 * vertices) * frames
    if suffix in (".abc", ".usd"):
        return _of_meshes(obj, suffix, frames)
    looked = _look(obj, first, last)
    of_shapes: Callable[[bpy.types.Object, _Looked], float] = _of_fbx if suffix == ".fbx" else _of_glb
    pictures = sum(_picture_bytes(image) for image in images_of([obj]))
    return of_shapes(obj, looked) + pictures


def _look(obj: bpy.types.Object, first: int, last: int) -> _Looked:
    numbers = np.unique(np.linspace(first, last, LOOKS + 1).round().astype(int)).tolist()
    positions = [each for _, each in positions_at(obj, numbers)]
    others = np.stack(positions[1:]) if len(positions) > 1 else np.empty((0, len(positions[0]), 3), np.float32)
    return _Looked(positions[0], others, last - first + 1)


def _of_fbx(obj: bpy.types.Object, looked: _Looked) -> float:
    """Per frame: offsets in double precision and the indices of what moves, deflated; normals, up to 5.0 all zero."""
    mesh = obj.data
    shapes = []
    for offsets, moving in zip(looked.offsets, looked.moving, strict=True):
        values = offsets[moving].astype(np.float64)
        indices = np.flatnonzero(moving).astype(np.int32)
        normals = NORMAL_DEFLATED * values.size if bpy.app.version >= (5, 1, 0) else _deflated(np.zeros_like(values))
        shapes.append(_deflated(values) + _deflated(indices) + normals)
    keys = 900 + 2.5 * looked.frames  # one curve per shape, with a key in every frame
    still = 40_000 + _deflated(looked.first.astype(np.float64))
    still += _deflated(corner_vertices_of(mesh)) + 30 * len(mesh.loops) * 0.35
    return still + (looked.frames - 1) * (float(np.mean(shapes)) + keys if shapes else 0.0)


def _of_glb(obj: bpy.types.Object, looked: _Looked) -> float:
    """Per frame: places and normals of the corners that are apart, or only of those that move where that is less."""
    mesh = obj.data
    apart = _vertices_apart(mesh)
    count = len(apart)
    moved = float(looked.moving[:, apart].sum(axis=1).mean()) if len(looked.others) else 0.0
    of_frame = min(12 * count, 16 * moved) + 12 * count
    triangles = len(mesh.loops) - 2 * len(mesh.polygons)
    still = 3000 + count * (24 + 8 * len(mesh.uv_layers)) + triangles * 3 * (2 if count < 65_536 else 4)
    weights = 4 * looked.frames * looked.frames + 4 * looked.frames
    return still + weights + (looked.frames - 1) * (of_frame + 350)


def _of_meshes(obj: bpy.types.Object, suffix: str, frames: int) -> float:
    """Per frame: places and normals, which are the corners'. Alembic leaves these out where all are smooth; USD has in
    Blender 5.3 those of vertices or faces, where these are all.
    """
    with modifier_stack.evaluated_mesh(obj) as mesh:
        vertices, corners, layers = len(mesh.vertices), len(mesh.loops), len(mesh.uv_layers)
        faces = len(mesh.polygons)
        normals = 0 if suffix == ".abc" and mesh.normals_domain == "POINT" else corners
        if suffix == ".usd" and bpy.app.version >= (5, 3, 0):
            normals = {"POINT": vertices, "FACE": faces}.get(mesh.normals_domain, corners)
    still = 12_000 + corners * (4 + 8 * layers) + 4 * faces
    return still + frames * (12 * (vertices + normals) + 150)


def _vertices_apart(mesh: bpy.types.Mesh) -> np.ndarray:
    """(K,) int32: the vertices of the corners that differ in vertex, normal or texture coordinates."""
    corners = corner_vertices_of(mesh)
    parts = [corners[:, None].astype(np.float32)]
    normals = np.empty((len(corners), 3), np.float32)
    mesh.corner_normals.foreach_get("vector", normals.ravel())
    parts.append(normals.round(4))
    for layer in mesh.uv_layers:
        uv = np.empty((len(corners), 2), np.float32)
        layer.uv.foreach_get("vector", uv.ravel())
        parts.append(uv)
    _, places = np.unique(np.concatenate(parts, axis=1), axis=0, return_index=True)
    return corners[places]


def _deflated(values: np.ndarray) -> int:
    return len(zlib.compress(np.ascontiguousarray(values).tobytes(), 1))


def _picture_bytes(image: bpy.types.Image) -> int:
    if image.packed_file:
        return int(image.packed_file.size)
    path = Path(bpy.path.abspath(image.filepath)) if image.filepath else None
    if path is not None and path.is_file():
        return path.stat().st_size
    return int(image.size[0] * image.size[1] * 2)  # painted: as a PNG, about half of its bytes
