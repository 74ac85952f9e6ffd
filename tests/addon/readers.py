"""Exports read back, by Blender and by others: where their points are over the frames, in metres and with Z up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Quaternion
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


_FBX = """
import sys
import numpy as np
import ufbx
file = ufbx.load_file(sys.argv[1])
row = lambda m, axis: [getattr(column, axis) for column in (m.c0, m.c1, m.c2, m.c3)]
matrix = lambda m: [row(m, "x"), row(m, "y"), row(m, "z"), [0, 0, 0, 1]]
all_nodes = [file.nodes[k] for k in range(len(file.nodes))]  # what is not held is freed too early
own = all_nodes[1:]  # without the file's own, which has no name
names = [node.name for node in own]
above = [node.parent for node in own]
parents = [names[node.typed_id - 1] if node.typed_id else "" for node in above]
mesh = file.meshes[0]
points = np.array([[v.x, v.y, v.z, 1] for v in (mesh.vertices[k] for k in range(len(mesh.vertices)))])
clusters, most = [], np.zeros(len(points), int)
held = [file.skin_clusters[k] for k in range(len(file.skin_clusters))]
bones = [cluster.bone_node for cluster in held]
for cluster, bone in zip(held, bones):
    vertices = np.array([cluster.vertices[i] for i in range(cluster.num_weights)], int)
    weights = np.array([cluster.weights[i] for i in range(cluster.num_weights)])
    clusters.append((bone.name, matrix(cluster.geometry_to_bone), vertices, weights))
    most[vertices] += 1
nodes, skinned = [], []
for time in np.arange(int(sys.argv[3])) / float(sys.argv[4]):
    shown = file.evaluate(file.anim, float(time))
    found = [shown.nodes[k] for k in range(1, len(shown.nodes))]
    world = {node.name: np.array(matrix(node.node_to_world)) for node in found}
    nodes.append([world[name] for name in names])
    total, sums = np.zeros((len(points), 3)), np.zeros(len(points))
    for name, bind, vertices, weights in clusters:
        moved = points[vertices] @ (world[name] @ np.array(bind)).T
        np.add.at(total, vertices, weights[:, None] * moved[:, :3])
        np.add.at(sums, vertices, weights)
    skinned.append(total / sums[:, None])
local = np.array([[t.translation.x, t.translation.y, t.translation.z, t.rotation.x,
                   t.rotation.y, t.rotation.z, t.scale.x, t.scale.y, t.scale.z]
                  for t in [node.local_transform for node in own]])
axes = file.settings.axes
np.savez(sys.argv[2], names=names, parents=parents, nodes=nodes, skinned=skinned, local=local, most=most.max(),
         unit=file.settings.unit_meters, rate=file.settings.frames_per_second, up=int(axes.up), front=int(axes.front))
"""


def read_fbx(path: Path, frames: int, fps: float) -> dict[str, np.ndarray]:
    """A rigged FBX by ufbx, in a process of its own, since it ends that at times: names and parents of nodes, where
    they are (T, M, 4, 4), where the skinned vertices are (T, N, 3), in the file's axes and unit, and what these are."""
    out = path.with_suffix(".npz")
    command = [sys.executable, "-c", _FBX, str(path), str(out), str(frames), str(fps)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(out) as found:
        return dict(found)


class SkinnedGlb:
    """A GLB with one skin and one animation, by pygltflib; Z up. names: of the joints."""

    def __init__(self, path: Path) -> None:
        self._glb = Glb(path)
        file = self._glb._file
        (skin,) = file.skins
        self._joints = skin.joints
        self.names = [file.nodes[k].name for k in skin.joints]
        self._above = {child: k for k, node in enumerate(file.nodes) for child in node.children or ()}
        self.parents = [file.nodes[self._above[k]].name if k in self._above else "" for k in skin.joints]
        (part,) = next(file.meshes[node.mesh].primitives for node in file.nodes if node.mesh is not None)
        self._points = self._glb._accessor(part.attributes.POSITION).astype(np.float64)
        self._bind = (
            self._glb._accessor(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64)
        )
        self._of = self._glb._accessor(part.attributes.JOINTS_0).astype(int)
        self._weights = self._glb._accessor(part.attributes.WEIGHTS_0).astype(np.float64)
        assert np.abs(self._weights.sum(axis=1) - 1).max() < 1e-5
        self.keys = {key: len(times) for key, (times, _) in self._glb._channels.items()}
        self.seconds = max(float(times[-1]) for times, _ in self._glb._channels.values())

    def bones(self, seconds: float) -> np.ndarray:
        """(J, 4, 4): in the world, in glTF's axes."""
        worlds: dict[int, np.ndarray] = {}

        def world(number: int) -> np.ndarray:
            if number not in worlds:
                own = self._matrix(number, seconds)
                worlds[number] = world(self._above[number]) @ own if number in self._above else own
            return worlds[number]

        return np.array([world(number) for number in self._joints])

    def heads(self, seconds: float) -> np.ndarray:
        return _z_up(self.bones(seconds)[:, :3, 3])

    def skinned(self, seconds: float) -> np.ndarray:
        """(N, 3)."""
        moved = (self.bones(seconds) @ self._bind)[self._of]
        points = np.concatenate([self._points, np.ones((len(self._points), 1))], axis=1)
        return _z_up(np.einsum("nk,nkab,nb->na", self._weights, moved[:, :, :3], points))

    def _matrix(self, number: int, seconds: float) -> np.ndarray:
        glb, node = self._glb, self._glb._file.nodes[number]
        place = self._between(number, "translation", seconds, node.translation or [0, 0, 0])
        x, y, z, w = self._between(number, "rotation", seconds, node.rotation or [0, 0, 0, 1])
        size = self._between(number, "scale", seconds, node.scale or [1, 1, 1])
        assert node.matrix is None and glb
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(Quaternion((w, x, y, z)).normalized().to_matrix()) * size
        matrix[:3, 3] = place
        return matrix

    def _between(self, number: int, path: str, seconds: float, still: list[float]) -> np.ndarray:
        """In a straight line between keys, rotations on the shortest way, as glTF says."""
        if (number, path) not in self._glb._channels:
            return np.array(still, np.float64)
        times, sampler = self._glb._channels[number, path]
        assert sampler.interpolation in (None, "LINEAR")
        values = self._glb._accessor(sampler.output).reshape(len(times), -1).astype(np.float64)
        after = int(np.searchsorted(times, seconds - 1e-6))
        if after == 0 or after == len(times):
            return values[min(after, len(times) - 1)]
        part = (seconds - times[after - 1]) / (times[after] - times[after - 1])
        one, two = values[after - 1], values[after]
        if path == "rotation":
            turn = Quaternion((one[3], *one[:3])).slerp(Quaternion((two[3], *two[:3])), float(np.clip(part, 0, 1)))
            return np.array([turn.x, turn.y, turn.z, turn.w])
        return (1 - part) * one + part * two


def _z_up(points: np.ndarray) -> np.ndarray:
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)
