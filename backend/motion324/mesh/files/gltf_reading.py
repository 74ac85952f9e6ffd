"""Reads glTF 2.0 (.glb, .gltf) as a ReferenceMesh, with the file's own vertices in the file's own order.

General scene libraries reorder nodes, copy vertices that primitives share, and drop skins and morph weights; the result
of an animation has to be written back vertex for vertex, so this reader does none of that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.files.foreign_names import short
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.colours import MEANING, as_srgb, meaning_by_generator
from motion324.mesh.files.foreign import check_counts
from motion324.mesh.files.gltf_container import GltfFile
from motion324.mesh.files.gltf_meshes import GltfMaterials, GltfMesh, Vertices, read_gltf_mesh
from motion324.mesh.files.gltf_scene import GltfScene, check_shown, read_scene

_MOST_NAMES = 200  # of parts in the metadata
_SKINNED_AT_ONCE = 2**16  # vertices, each of which takes a matrix meanwhile


def read_gltf(path: Path, progress: Progress = silent) -> ReferenceMesh:
    """Nodes of the default scene depth first, each node's primitives in order, each in world space.

    Primitives of one node that share a POSITION accessor share its vertices. Skins and morph weights are applied in the
    file's own pose. COLOR_0 is taken as linear light, but for generators that are known to write sRGB; the metadata say
    which (motion324.mesh.colours).
    Raises Motion324Error for what is too large, hidden, or needs an unknown extension; ValueError, KeyError, OSError
    and the like for damaged files: motion324.mesh.files.reading turns them into words.
    """
    gltf = GltfFile(path, progress)
    scene = read_scene(gltf)
    check_shown(gltf, scene)
    check_counts(path, _vertices_to_come(gltf, scene))
    parts = _Parts(gltf, scene)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused by the checks of the mesh
        for node, matrix in scene.shown:
            progress("read", 0, 1)
            parts.add(gltf.item("nodes", node), matrix)
        return parts.mesh()


class _Parts:
    """What the nodes show, one after the other."""

    def __init__(self, gltf: GltfFile, scene: GltfScene) -> None:
        self._gltf = gltf
        self._scene = scene
        self._materials = GltfMaterials(gltf)
        self._meaning = meaning_by_generator(str(gltf.header["asset"].get("generator", "")))
        self._meshes: dict[tuple[object, ...], GltfMesh] = {}
        self._joints: dict[object, np.ndarray] = {}
        self._positions: list[np.ndarray] = []
        self._colours: list[np.ndarray | None] = []
        self._faces: list[np.ndarray] = []
        self._uv: list[np.ndarray | None] = []
        self._material: list[np.ndarray] = []
        self._names: list[str] = []
        self._vertex_count = self._face_count = 0

    def add(self, node: dict[str, Any], matrix: np.ndarray) -> None:
        """One node's mesh at its place."""
        mesh = self._mesh_of(node)
        self._vertex_count += sum(len(vertices.points) for vertices in mesh.vertices)
        self._face_count += sum(len(primitive.faces) for primitive in mesh.primitives)
        check_counts(self._gltf.path, self._vertex_count, self._face_count)
        first = self._vertex_count - sum(len(vertices.points) for vertices in mesh.vertices)
        firsts, mirrored = [], []
        for vertices in mesh.vertices:
            points, signs = self._placed(node, vertices, matrix)
            self._positions.append(points.astype(np.float32))
            self._colours.append(vertices.colour)
            firsts.append(first)
            mirrored.append(signs < 0)
            first += len(points)
        for primitive in mesh.primitives:
            count = len(mesh.vertices[primitive.group].points)
            known = (primitive.faces >= 0) & (primitive.faces < count)
            # A mirroring matrix turns the winding over (glTF 2.0, 3.7.4); of a skin, those of most of the corners.
            over = mirrored[primitive.group][np.where(known, primitive.faces, 0)].sum(axis=1) > 1
            faces = np.where(known, primitive.faces + firsts[primitive.group], -1)
            self._faces.append(np.where(over[:, None], faces[:, ::-1], faces).astype(np.int32))
            self._uv.append(_turned_over(primitive.uv, over))
            self._material.append(np.full(len(faces), primitive.material, np.int32))
        if len(self._names) < _MOST_NAMES:
            name = node.get("name") or self._gltf.item("meshes", node["mesh"]).get("name") or f"mesh {node['mesh']}"
            self._names.append(short(str(name)))

    def mesh(self) -> ReferenceMesh:
        """All of it."""
        painted = any(colour is not None for colour in self._colours)
        order = "nodes depth first, primitives in file order"
        metadata = {"parts": ", ".join(self._names), "vertex order": order}
        if painted:
            metadata |= self._meaning
        return ReferenceMesh(
            positions=_joined(self._positions, np.zeros((0, 3), np.float32)),
            faces=_joined(self._faces, np.zeros((0, 3), np.int32)),
            face_material=_joined(self._material, np.zeros(0, np.int32)),
            materials=self._materials.used(plain_is_white=painted),
            corner_uv=self._corner_uv(),
            vertex_colour=self._vertex_colour() if painted else None,
            up="Y",
            name=self._gltf.path.stem,
            metadata=metadata,
            warnings=(*self._scene.warnings, *self._materials.warnings),
        )

    def _mesh_of(self, node: dict[str, Any]) -> GltfMesh:
        index = node["mesh"]
        weights = node.get("weights", self._gltf.item("meshes", index).get("weights", []))
        key = (index, *map(float, weights))
        if key not in self._meshes:
            self._meshes[key] = read_gltf_mesh(self._gltf, index, weights, self._materials)
        return self._meshes[key]

    def _placed(self, node: dict[str, Any], vertices: Vertices, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The points in world space, and (V,) the signs of the determinants of what moved them there."""
        points = vertices.points
        own = np.sign(np.linalg.det(matrix[:3, :3]))
        if "skin" in node and vertices.joints is not None:
            points, signs = self._skinned(node["skin"], vertices)
            # A mirroring node counts for the winding of a skinned mesh, too: Blender writes one in place, turned over.
            return points, np.minimum(signs, own)
        signs = np.broadcast_to(own, len(points))
        if np.array_equal(matrix, np.eye(4)):
            return points, signs
        return points @ matrix[:3, :3].T + matrix[:3, 3], signs

    def _skinned(self, skin: object, vertices: Vertices) -> tuple[np.ndarray, np.ndarray]:
        """Linear blend skinning in the pose of the file's nodes (glTF 2.0, 3.7.3: the node's own matrix is void)."""
        assert vertices.joints is not None and vertices.weights is not None
        joints = self._joint_matrices(skin)
        points, signs = vertices.points.copy(), np.ones(len(vertices.points))
        for start in range(0, len(points), _SKINNED_AT_ONCE):
            self._gltf.progress("read", 0, 1)
            some = slice(start, start + _SKINNED_AT_ONCE)
            weights = vertices.weights[some]
            blended = np.zeros((len(weights), 4, 4))
            for column in range(weights.shape[1]):
                blended += weights[:, column, None, None] * joints[vertices.joints[some, column]]
            total = weights.sum(axis=1)
            bound = total > 0
            moved = np.einsum("nij,nj->ni", blended[:, :3, :3], points[some]) + blended[:, :3, 3]
            points[some] = np.where(bound[:, None], moved / np.where(bound, total, 1.0)[:, None], points[some])
            signs[some] = np.where(bound, np.sign(np.linalg.det(blended[:, :3, :3])), 1.0)
        return points, signs

    def _joint_matrices(self, skin: object) -> np.ndarray:
        """(J, 4, 4) from the space in which the mesh was bound to world space."""
        if skin not in self._joints:
            described = self._gltf.item("skins", skin)
            joints = np.stack([self._scene.world.get(joint, np.eye(4)) for joint in described["joints"]])
            if "inverseBindMatrices" in described:
                inverse = self._gltf.accessor(described["inverseBindMatrices"]).astype(np.float64).reshape(-1, 4, 4)
                joints = joints @ inverse[: len(joints)].transpose(0, 2, 1)
            self._joints[skin] = joints
        return self._joints[skin]

    def _corner_uv(self) -> np.ndarray | None:
        if all(uv is None for uv in self._uv):
            return None
        missing = zip(self._uv, self._faces, strict=True)
        return np.concatenate([np.zeros((len(faces), 3, 2), np.float32) if uv is None else uv for uv, faces in missing])

    def _vertex_colour(self) -> np.ndarray:
        """(N, 3) float32 sRGB, white where a part has none."""
        colours = []
        for colour, positions in zip(self._colours, self._positions, strict=True):
            self._gltf.progress("read", 0, 1)
            white = np.ones((len(positions), 3), np.float32)
            colours.append(white if colour is None else as_srgb(colour, self._meaning[MEANING]))
        return np.concatenate(colours)


def _vertices_to_come(gltf: GltfFile, scene: GltfScene) -> int:
    """How many the scene asks for: a file of a few kilobytes can show a large mesh any number of times."""
    counts: dict[object, int] = {}
    total = 0
    for node, _ in scene.shown:
        mesh = gltf.item("nodes", node)["mesh"]
        if mesh not in counts:
            primitives = gltf.item("meshes", mesh)["primitives"]
            counts[mesh] = sum(map(gltf.accessor_count, {one["attributes"]["POSITION"] for one in primitives}))
        total += counts[mesh]
    return total


def _turned_over(uv: np.ndarray | None, over: np.ndarray) -> np.ndarray | None:
    return uv if uv is None else np.where(over[:, None, None], uv[:, ::-1], uv)


def _joined(arrays: list[np.ndarray], none: np.ndarray) -> np.ndarray:
    return np.concatenate(arrays) if arrays else none
