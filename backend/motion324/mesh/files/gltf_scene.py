"""Tells which nodes of a glTF file are seen, and where each stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motion324.core.files.foreign_names import short
from motion324.core.files.gltf_extensions import VISIBILITY, is_visible
from motion324.mesh.checks import bad_mesh
from motion324.mesh.files.foreign import MOST_NODES, Damaged, too_much
from motion324.mesh.files.gltf_container import GltfFile
from motion324.mesh.files.gltf_extensions import INSTANCES

_NODES_BETWEEN_LOOKS = 1000


@dataclass
class GltfScene:
    """shown: (node, (4, 4) matrix to world space) of every mesh that is seen, once for each of its instances.
    world: the matrices of all nodes of the scene, for skins. hidden: how many nodes with meshes are not seen.
    """

    shown: list[tuple[int, np.ndarray]] = field(default_factory=list)
    world: dict[int, np.ndarray] = field(default_factory=dict)
    hidden: int = 0
    warnings: list[dict[str, str]] = field(default_factory=list)


def read_scene(gltf: GltfFile) -> GltfScene:
    """The default scene, parents before children, siblings in file order.

    Where it does not exist or shows no mesh, the first scene that does, else all nodes, with a warning. Nodes that
    KHR_node_visibility hides are left out with all below them.
    """
    nodes, scenes = gltf.items("nodes"), gltf.items("scenes")
    children = {child for node in nodes for child in node.get("children", []) if isinstance(child, int)}
    top = [index for index in range(len(nodes)) if index not in children]
    if not scenes:
        return _walk(gltf, nodes, top, [0])
    wanted = gltf.header.get("scene", 0)
    exists = isinstance(wanted, int) and 0 <= wanted < len(scenes)
    order = dict.fromkeys(([wanted] if exists else []) + list(range(len(scenes))))
    visited = [0]
    walks = {index: _walk(gltf, nodes, scenes[index].get("nodes", []), visited) for index in order if index == wanted}
    if exists and walks[wanted].shown:
        return walks[wanted]
    why = "shows no mesh" if exists else "does not exist"
    said = f"The default scene of '{gltf.path}' (number {short(str(wanted), 20)}) {why}"
    for index in order:
        if index != wanted:
            found = _walk(gltf, nodes, scenes[index].get("nodes", []), visited)
            if found.shown:
                name = f" '{short(str(scenes[index]['name']))}'" if scenes[index].get("name") else ""
                return _with_warning(found, f"{said}; scene {index}{name} was read instead.")
    found = _walk(gltf, nodes, top, visited)
    return _with_warning(found, f"{said}, nor does another scene; all nodes were read.") if found.shown else found


def _with_warning(scene: GltfScene, sentence: str) -> GltfScene:
    scene.warnings.append({"code": "mesh-other-scene", "sentence": sentence})
    return scene


def _walk(gltf: GltfFile, nodes: list[dict[str, Any]], roots: list[int], visited: list[int]) -> GltfScene:
    """visited: [how many nodes all walks have seen], which this one adds to."""
    scene = GltfScene()
    if not isinstance(roots, list):
        raise Damaged("the nodes of a scene are no list")
    stack = [(root, np.eye(4), True) for root in reversed(roots)]
    while stack:
        index, parent, visible = stack.pop()
        visited[0] += 1
        if visited[0] % _NODES_BETWEEN_LOOKS == 1:
            gltf.progress("read", 0, 1)
        if visited[0] > MOST_NODES:
            raise too_much(gltf.path, f"more than {MOST_NODES:,} nodes in its scenes", f"{MOST_NODES:,}")
        node = gltf.item("nodes", index)
        if index in scene.world:
            raise Damaged(f"its node {index} has two parents or is below itself")
        matrix = parent @ _local_matrix(node)
        scene.world[index] = matrix
        visible = visible and is_visible(node)
        if "mesh" in node and not visible:
            scene.hidden += 1
        elif "mesh" in node:
            _show(gltf, scene, index, matrix, node)
        below = node.get("children", [])
        if not isinstance(below, list):
            raise Damaged(f"the children of its node {index} are no list")
        stack.extend((child, matrix, visible) for child in reversed(below))
    return scene


def _show(gltf: GltfFile, scene: GltfScene, index: int, matrix: np.ndarray, node: dict[str, Any]) -> None:
    instances = node.get("extensions", {}).get(INSTANCES)
    if instances is not None and "skin" in node:
        sentence = f"The instances ({INSTANCES}) of a mesh with a skin in '{gltf.path}' were read as one."
        scene.warnings.append({"code": "mesh-instances", "sentence": sentence})
    if instances is None or "skin" in node:
        scene.shown.append((index, matrix))
        return
    attributes = instances.get("attributes", {})
    counts = {gltf.accessor_count(attributes[key]) for key in ("TRANSLATION", "ROTATION", "SCALE") if key in attributes}
    if len(counts) > 1:
        raise Damaged(f"the instances of its node {index} have different numbers of places, turns and sizes")
    count = counts.pop() if counts else 1
    if len(scene.shown) + count > MOST_NODES:
        raise too_much(gltf.path, f"{len(scene.shown) + count:,} instances of meshes", f"{MOST_NODES:,}")

    def values(key: str, default: tuple[float, ...]) -> np.ndarray:
        if key not in attributes:
            return np.tile(np.array(default, np.float64), (count, 1))
        return gltf.accessor(attributes[key]).astype(np.float64)

    local = _matrices(values("TRANSLATION", (0, 0, 0)), values("ROTATION", (0, 0, 0, 1)), values("SCALE", (1, 1, 1)))
    scene.shown.extend((index, placed) for placed in matrix @ local)


def _local_matrix(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    if not node.keys() & {"translation", "rotation", "scale"}:
        return np.eye(4)
    values = [np.array([node.get(key, default)], dtype=np.float64) for key, default in _STILL]
    return _matrices(*values)[0]


_STILL = (("translation", (0, 0, 0)), ("rotation", (0, 0, 0, 1)), ("scale", (1, 1, 1)))


def _matrices(places: np.ndarray, turns: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """places (K, 3), turns (K, 4) quaternions x y z w of any length, sizes (K, 3) -> (K, 4, 4)"""
    x, y, z, w = turns.T
    length = (turns * turns).sum(axis=1)
    s = np.divide(2.0, length, out=np.zeros_like(length), where=length > 0)
    matrices = np.zeros((len(places), 4, 4))
    rows = [
        [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
        [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
        [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
    ]
    matrices[:, :3, :3] = np.array(rows).transpose(2, 0, 1) * sizes[:, None, :]
    matrices[:, :3, 3] = places
    matrices[:, 3, 3] = 1.0
    return matrices


def check_shown(gltf: GltfFile, scene: GltfScene) -> None:
    """Raises Motion324Error("mesh-empty") where all that the file holds is hidden."""
    if not scene.shown and scene.hidden:
        raise bad_mesh(
            "mesh-empty",
            f"All {scene.hidden} meshes of the file '{gltf.path}' are hidden ({VISIBILITY}).",
            "Show the mesh in the program that wrote the file, and export it again.",
        )
