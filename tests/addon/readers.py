"""Exports read back, by Blender and by others: where their points are over the frames, in metres and with Z up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils.kdtree import KDTree

IMPORT = {
    # FBX: the importer moves all keys by one frame unless it is told not to.
    ".fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path, anim_offset=0.0),
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".abc": lambda path: bpy.ops.wm.alembic_import(filepath=path, as_background_job=False),
    ".usd": lambda path: bpy.ops.wm.usd_import(filepath=path),
}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_KINDS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}

_USD = """
import sys
import numpy as np
from pxr import Gf, Usd, UsdGeom
stage = Usd.Stage.Open(sys.argv[1])
assert UsdGeom.GetStageUpAxis(stage) == "Z"
frames = []
for time in range(int(sys.argv[3]), int(sys.argv[4])):
    cache, points = UsdGeom.XformCache(time), []
    for prim in stage.Traverse():
        if prim.IsA(UsdGeom.Mesh):
            own = np.array(UsdGeom.Mesh(prim).GetPointsAttr().Get(time))
            matrix = np.array(cache.GetLocalToWorldTransform(prim))  # of row vectors
            points.append(own @ matrix[:3, :3] + matrix[3, :3])
    frames.append(np.concatenate(points) * UsdGeom.GetStageMetersPerUnit(stage))
np.savez(sys.argv[2], frames=np.array(frames), span=[stage.GetStartTimeCode(), stage.GetEndTimeCode()])
"""


def in_world(obj, positions):
    matrix = np.array(obj.matrix_world)
    return positions @ matrix[:3, :3].T + matrix[:3, 3]


def distance(one, other):
    """The largest distance from a point of one to the nearest of the other, both ways: glTF splits vertices."""

    def one_way(points, others):
        tree = KDTree(len(others))
        for index, point in enumerate(others):
            tree.insert(point, index)
        tree.balance()
        return max(tree.find(point)[2] for point in points)

    return max(one_way(one, other), one_way(other, one))


def read_usd(path: Path, start: int, count: int) -> tuple[np.ndarray, list[float]]:
    """(T, N, 3) at the time codes from `start` on, and the first and last time code of the file. By Pixar's library,
    in a process of its own: Blender brings another one.
    """
    out = path.with_suffix(".npz")
    command = [sys.executable, "-c", _USD, str(path), str(out), str(start), str(start + count)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(out) as found:
        return found["frames"], found["span"].tolist()


class Glb:
    """A GLB with its one animation. times (K,): of its keys, seconds."""

    def __init__(self, path: Path) -> None:
        import pygltflib

        self._file = pygltflib.GLTF2().load_binary(str(path))
        (animation,) = self._file.animations
        self._channels = {}
        for channel in animation.channels:
            sampler = animation.samplers[channel.sampler]
            self._channels[channel.target.node, channel.target.path] = self._accessor(sampler.input), sampler
        self.times = np.unique(np.concatenate([times for times, _ in self._channels.values()]).round(5))

    def at(self, seconds: float) -> np.ndarray:
        """(N, 3): all points at that time."""
        found: list[np.ndarray] = []
        for root in self._file.scenes[self._file.scene].nodes:
            self._collect(root, np.eye(4), seconds, found)
        points = np.concatenate(found)
        return np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)

    def _collect(self, number: int, above: np.ndarray, seconds: float, found: list[np.ndarray]) -> None:
        node = self._file.nodes[number]
        matrix = above @ self._matrix(number, node, seconds)
        if node.mesh is not None:
            mesh = self._file.meshes[node.mesh]
            weights = self._value(number, "weights", seconds, getattr(node, "weights", None) or mesh.weights)
            for part in mesh.primitives:
                points = self._accessor(part.attributes.POSITION).astype(np.float64)
                for weight, target in zip(weights, part.targets, strict=True):
                    if weight:
                        points = points + weight * self._accessor(target["POSITION"])
                found.append(points @ matrix[:3, :3].T + matrix[:3, 3])
        for child in node.children or ():
            self._collect(child, matrix, seconds, found)

    def _matrix(self, number: int, node, seconds: float) -> np.ndarray:
        x, y, z, w = self._value(number, "rotation", seconds, node.rotation or [0, 0, 0, 1])
        scale = np.array(self._value(number, "scale", seconds, node.scale or [1, 1, 1]))
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        matrix = np.eye(4)
        matrix[:3, :3] = turn * scale
        matrix[:3, 3] = self._value(number, "translation", seconds, node.translation or [0, 0, 0])
        return matrix

    def _value(self, number: int, path: str, seconds: float, still: list[float]) -> np.ndarray:
        if (number, path) not in self._channels:
            return np.array(still)
        times, sampler = self._channels[number, path]
        values = self._accessor(sampler.output).reshape(len(times), -1)
        return values[int(np.abs(times - seconds).argmin())]

    def _accessor(self, number: int) -> np.ndarray:
        """(count, width), or (count,) of scalars. Sparse ones are zero where nothing is said."""
        accessor = self._file.accessors[number]
        width, kind = _WIDTHS[accessor.type], _KINDS[accessor.componentType]
        values = np.zeros((accessor.count, width), kind)
        if accessor.bufferView is not None:
            values = self._view(accessor.bufferView, accessor.byteOffset, kind, accessor.count, width).copy()
        if accessor.sparse is not None:
            sparse, kinds = accessor.sparse, _KINDS[accessor.sparse.indices.componentType]
            where = self._view(sparse.indices.bufferView, sparse.indices.byteOffset, kinds, sparse.count, 1)[:, 0]
            values[where] = self._view(sparse.values.bufferView, sparse.values.byteOffset, kind, sparse.count, width)
        return values[:, 0] if width == 1 else values

    def _view(self, number: int, offset: int | None, kind, count: int, width: int) -> np.ndarray:
        view = self._file.bufferViews[number]
        assert view.byteStride is None
        start = (view.byteOffset or 0) + (offset or 0)
        return np.frombuffer(self._file.binary_blob(), kind, count * width, start).reshape(count, width)
