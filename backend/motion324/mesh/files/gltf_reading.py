"""glTF 2.0 (.glb, .gltf) -> ReferenceMesh, with the file's own vertices in the file's own order.

General scene libraries reorder nodes, copy vertices that primitives share, and drop skins and morph weights; the result
of an animation has to be written back vertex for vertex, so this reader does none of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.files.gltf_container import GltfFile
from motion324.mesh.files.gltf_materials import GltfMaterials

_TRIANGLES, _STRIP, _FAN = 4, 5, 6


@dataclass
class _Parts:
    """What the walk over the nodes has gathered so far."""

    positions: list[np.ndarray] = field(default_factory=list)
    faces: list[np.ndarray] = field(default_factory=list)
    corner_uv: list[np.ndarray] = field(default_factory=list)
    vertex_colour: list[np.ndarray] = field(default_factory=list)
    face_material: list[np.ndarray] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    vertex_count: int = 0
    has_uv: bool = False
    has_colour: bool = False


def read_gltf(path: Path) -> ReferenceMesh:
    """Nodes of the default scene depth first, each node's primitives in order, each in world space.

    Primitives of one node that share a POSITION accessor share its vertices. Skins and morph weights are applied in the
    file's own pose. COLOR_0 is taken as sRGB, which is what most exporters of painted meshes write.
    Raises ValueError, KeyError, OSError and the like for damaged files: motion324.mesh.files.reading turns them into
    words.
    """
    gltf = GltfFile(path)
    world = _world_matrices(gltf)
    materials = GltfMaterials(gltf)
    parts = _Parts()
    for node_index, matrix in world:
        node = gltf.items("nodes")[node_index]
        if "mesh" in node:
            _add_node(gltf, node, matrix, dict(world), materials, parts)
    if not parts.positions:
        parts.positions, parts.faces = [np.zeros((0, 3))], [np.zeros((0, 3), np.int32)]
        parts.corner_uv, parts.vertex_colour = [np.zeros((0, 3, 2))], [np.zeros((0, 3))]
        parts.face_material = [np.zeros(0, np.int32)]
    return ReferenceMesh(
        positions=np.concatenate(parts.positions).astype(np.float32),
        faces=np.concatenate(parts.faces).astype(np.int32),
        face_material=np.concatenate(parts.face_material).astype(np.int32),
        materials=materials.used(plain_is_white=parts.has_colour),
        corner_uv=np.concatenate(parts.corner_uv).astype(np.float32) if parts.has_uv else None,
        vertex_colour=np.concatenate(parts.vertex_colour).astype(np.float32) if parts.has_colour else None,
        up="Y",
        name=path.stem,
        metadata={"parts": ", ".join(parts.names), "vertex order": "nodes depth first, primitives in file order"},
    )


def _world_matrices(gltf: GltfFile) -> list[tuple[int, np.ndarray]]:
    """(node, (4, 4) matrix to world space) of the default scene, parents before children, siblings in file order."""
    nodes = gltf.items("nodes")
    scenes = gltf.items("scenes")
    if scenes:
        roots = scenes[gltf.header.get("scene", 0)].get("nodes", [])
    else:
        children = {child for node in nodes for child in node.get("children", [])}
        roots = [index for index in range(len(nodes)) if index not in children]
    found: list[tuple[int, np.ndarray]] = []
    stack = [(root, np.eye(4)) for root in reversed(roots)]
    seen: set[int] = set()
    while stack:
        index, parent = stack.pop()
        if index in seen:
            raise ValueError("its node tree has a loop or a node with two parents")
        seen.add(index)
        matrix = parent @ _local_matrix(nodes[index])
        found.append((index, matrix))
        stack.extend((child, matrix) for child in reversed(nodes[index].get("children", [])))
    return found


def _local_matrix(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = np.array(node.get("rotation", (0, 0, 0, 1)), dtype=np.float64)
    length = x * x + y * y + z * z + w * w
    s = 2.0 / length if length > 0 else 0.0
    turn = np.array(
        [
            [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
            [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
            [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
        ]
    )
    matrix[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), dtype=np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _add_node(
    gltf: GltfFile,
    node: dict[str, Any],
    matrix: np.ndarray,
    world: dict[int, np.ndarray],
    materials: GltfMaterials,
    parts: _Parts,
) -> None:
    mesh = gltf.items("meshes")[node["mesh"]]
    weights = node.get("weights", mesh.get("weights", []))
    first_vertex: dict[int, int] = {}  # POSITION accessor -> where its vertices begin
    for primitive in mesh["primitives"]:
        if primitive.get("mode", _TRIANGLES) not in (_TRIANGLES, _STRIP, _FAN):
            continue
        accessor = primitive["attributes"]["POSITION"]
        if accessor not in first_vertex:
            first_vertex[accessor] = parts.vertex_count
            _add_vertices(gltf, node, primitive, weights, matrix, world, parts)
        mirrored = "skin" not in node and np.linalg.det(matrix[:3, :3]) < 0
        _add_faces(gltf, primitive, first_vertex[accessor], mirrored, materials, parts)
    parts.names.append(node.get("name") or mesh.get("name") or f"mesh {node['mesh']}")


def _add_vertices(
    gltf: GltfFile,
    node: dict[str, Any],
    primitive: dict[str, Any],
    weights: list[float],
    matrix: np.ndarray,
    world: dict[int, np.ndarray],
    parts: _Parts,
) -> None:
    attributes = primitive["attributes"]
    points: np.ndarray = gltf.accessor(attributes["POSITION"]).astype(np.float64)
    for weight, target in zip(weights, primitive.get("targets", []), strict=False):
        if weight and "POSITION" in target:
            points = points + weight * gltf.accessor(target["POSITION"]).astype(np.float64)
    if "skin" in node and "JOINTS_0" in attributes:
        points = _skinned(gltf, gltf.items("skins")[node["skin"]], attributes, points, world)
    elif not np.array_equal(matrix, np.eye(4)):
        points = points @ matrix[:3, :3].T + matrix[:3, 3]
    colour: np.ndarray = np.ones((len(points), 3))
    if "COLOR_0" in attributes:
        raw = gltf.accessor(attributes["COLOR_0"])[:, :3]
        colour = raw.astype(np.float64) / (np.iinfo(raw.dtype).max if raw.dtype.kind == "u" else 1.0)
        parts.has_colour = True
    parts.positions.append(points)
    parts.vertex_colour.append(np.clip(colour, 0.0, 1.0))
    parts.vertex_count += len(points)


def _skinned(
    gltf: GltfFile, skin: dict[str, Any], attributes: dict[str, int], points: np.ndarray, world: dict[int, np.ndarray]
) -> np.ndarray:
    """Linear blend skinning in the pose that the file's nodes have (glTF 2.0, 3.7.3: the node's own matrix is void)."""
    joints = np.stack([world.get(joint, np.eye(4)) for joint in skin["joints"]])
    if "inverseBindMatrices" in skin:
        inverse = gltf.accessor(skin["inverseBindMatrices"]).astype(np.float64).reshape(-1, 4, 4)
        joints = joints @ inverse[: len(joints)].transpose(0, 2, 1)
    blended = np.zeros((len(points), 4, 4))
    total = np.zeros(len(points))
    for number in range(4):
        if f"JOINTS_{number}" not in attributes:
            break
        indices = gltf.accessor(attributes[f"JOINTS_{number}"]).astype(np.intp)
        weights = gltf.accessor(attributes[f"WEIGHTS_{number}"]).astype(np.float64)
        for column in range(4):
            blended += weights[:, column, None, None] * joints[indices[:, column]]
            total += weights[:, column]
    bound = total > 0
    moved = np.einsum("nij,nj->ni", blended[:, :3, :3], points) + blended[:, :3, 3]
    return np.where(bound[:, None], moved / np.where(bound, total, 1.0)[:, None], points)


def _add_faces(
    gltf: GltfFile,
    primitive: dict[str, Any],
    first_vertex: int,
    mirrored: bool,
    materials: GltfMaterials,
    parts: _Parts,
) -> None:
    attributes = primitive["attributes"]
    if "indices" in primitive:
        indices = gltf.accessor(primitive["indices"])[:, 0].astype(np.int64)
    else:
        indices = np.arange(gltf.header["accessors"][attributes["POSITION"]]["count"])
    faces = _triangles(indices, primitive.get("mode", _TRIANGLES))
    if mirrored:  # a mirroring matrix turns the winding over (glTF 2.0, 3.7.4)
        faces = faces[:, ::-1]
    index, coordinates = materials.use(primitive.get("material"))
    uv = np.zeros((len(faces), 3, 2))
    if coordinates is not None and f"TEXCOORD_{coordinates.channel}" in attributes:
        raw = gltf.accessor(attributes[f"TEXCOORD_{coordinates.channel}"])
        if len(faces) and faces.max() < len(raw):
            uv = coordinates.to_v_up(raw.astype(np.float64))[faces]
            parts.has_uv = True
    parts.faces.append(faces + first_vertex)
    parts.corner_uv.append(uv)
    parts.face_material.append(np.full(len(faces), index, np.int32))


def _triangles(indices: np.ndarray, mode: int) -> np.ndarray:
    """The corners of a list, strip or fan of triangles -> (F, 3)."""
    if mode == _TRIANGLES:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if len(indices) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == _FAN:
        return np.stack([np.full(len(indices) - 2, indices[0]), indices[1:-1], indices[2:]], axis=1)
    strip = np.stack([indices[:-2], indices[1:-1], indices[2:]], axis=1)
    strip[1::2] = strip[1::2][:, [1, 0, 2]]  # every second triangle of a strip is wound the other way
    return strip[(strip[:, 0] != strip[:, 1]) & (strip[:, 1] != strip[:, 2]) & (strip[:, 0] != strip[:, 2])]
