"""Builds the embedded deformation graph: a few nodes whose rigid motions carry every vertex along.

After Sumner, Schmid, Pauly: Embedded Deformation for Shape Manipulation (SIGGRAPH 2007), with distances along the
surface, so that legs that touch do not stick to each other, and links through the inside of the volume.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from motion324.reconstructors.deformation_fit.surface_graph import WeldedSurface
from motion324.view.rasteriser import face_normals

NODES_PER_POINT = 5
NEIGHBOURS = 6
WEIGHTED_AT_ONCE = 20_000  # points, in some 0.1 s
SPARSE_POINTS = 6000  # farthest-point sampling looks at so many points at most


@dataclass(frozen=True)
class DeformationGraph:
    """K nodes on the surface of M points.

    nodes (K, 3): rest positions in normalised space.
    point_nodes (M, 5) int32, point_weights (M, 5): whom every point follows; weights sum to 1.
    edges (E, 2) int32, edge_weights (E,): pairs of nodes that keep their distance and orientation.
    """

    nodes: np.ndarray
    point_nodes: np.ndarray
    point_weights: np.ndarray
    edges: np.ndarray
    edge_weights: np.ndarray


def build_graph(surface: WeldedSurface, seed: int, count: int, check: Callable[[], None]) -> DeformationGraph:
    """Nodes by farthest-point sampling along the surface, weights, and links between neighbouring nodes.

    check is called often, and may raise to stop.
    """
    node_points, spacing = _farthest_points(surface, count, seed, check)
    distance = _distances(surface, node_points, 6.0 * spacing, check)
    nodes, blocks = surface.points[node_points], []
    for first in range(0, len(distance), WEIGHTED_AT_ONCE):
        check()
        some = slice(first, first + WEIGHTED_AT_ONCE)
        blocks.append(_weights(distance[some], spacing, surface.points[some], nodes))
    point_nodes, point_weights = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    edges, edge_weights = _links(surface, node_points, distance, spacing)
    return DeformationGraph(nodes, point_nodes, point_weights, edges, edge_weights)


def deform(
    graph: DeformationGraph,
    rotations: np.ndarray,
    translations: np.ndarray,
    points: np.ndarray,
    nodes: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Embedded deformation of points (P, 3) that follow nodes (P, k) by weights (P, k) -> (P, 3).

    rotations (K, 3, 3), translations (K, 3): a point moves to sum_k w_k (R_k (p - g_k) + g_k + t_k).
    """
    offsets = graph.nodes + translations - np.einsum("kab,kb->ka", rotations, graph.nodes)
    return _blend(points, nodes, weights, rotations, offsets)


@njit(cache=True, nogil=True)
def _blend(points, nodes, weights, rotations, offsets):
    moved = np.zeros_like(points)
    for p in range(points.shape[0]):
        for k in range(nodes.shape[1]):
            w, j = weights[p, k], nodes[p, k]
            for a in range(3):
                value = offsets[j, a]
                for b in range(3):
                    value += rotations[j, a, b] * points[p, b]
                moved[p, a] += w * value
    return moved


def _farthest_points(
    surface: WeldedSurface, count: int, seed: int, check: Callable[[], None]
) -> tuple[np.ndarray, float]:
    """Indices (K,) of points spread evenly along the surface, and their typical spacing."""
    rng = np.random.default_rng(seed)
    total = len(surface.points)
    if total > SPARSE_POINTS:
        keep = np.sort(rng.choice(total, SPARSE_POINTS, replace=False))
        distance_from = _sparse_distances(surface, keep, check)
    else:
        keep = np.arange(total)

        def distance_from(k: int) -> np.ndarray:
            return dijkstra(surface.lengths, indices=k)

    chosen = [int(np.argmax(np.linalg.norm(surface.points[keep] - surface.points.mean(axis=0), axis=1)))]
    nearest = distance_from(chosen[0])
    while len(chosen) < min(count, len(keep)):
        check()
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, distance_from(chosen[-1]))
    return keep[chosen], float(nearest.max())


def _sparse_distances(surface: WeldedSurface, keep: np.ndarray, check: Callable[[], None]):
    """Distances along a thinned surface: a point belongs to its nearest kept one, and cells that touch are linked."""
    cell = cKDTree(surface.points[keep]).query(surface.points)[1]
    check()
    rows, columns = surface.lengths.nonzero()
    a, b = cell[rows], cell[columns]
    different = a != b
    check()
    pairs = np.unique(np.stack([a[different], b[different]], axis=1), axis=0)
    length = np.linalg.norm(surface.points[keep[pairs[:, 0]]] - surface.points[keep[pairs[:, 1]]], axis=1)
    thinned = coo_matrix((np.maximum(length, 1e-9), (pairs[:, 0], pairs[:, 1])), shape=(len(keep), len(keep))).tocsr()
    return lambda k: dijkstra(thinned, indices=k)


def _distances(surface: WeldedSurface, node_points: np.ndarray, limit: float, check: Callable[[], None]) -> np.ndarray:
    """(M, K) float32 distances along the surface, inf beyond the limit."""
    distance = np.empty((len(surface.points), len(node_points)), np.float32)
    for k, point in enumerate(node_points):
        check()
        distance[:, k] = dijkstra(surface.lengths, indices=point, limit=limit)
    return distance


def _weights(distance, spacing, points, nodes) -> tuple[np.ndarray, np.ndarray]:
    """(M, 5) nodes and Gaussian weights; points that no node reaches along the surface take the nearest in space."""
    k = min(NODES_PER_POINT, len(nodes))
    lost = ~np.isfinite(distance).any(axis=1)
    if lost.any():
        distance = distance.copy()
        distance[lost] = np.linalg.norm(points[lost, None] - nodes[None], axis=2)
    nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
    d = np.take_along_axis(distance, nearest, axis=1).astype(np.float64)
    sigma = 0.6 * spacing
    closest = d.min(axis=1, keepdims=True)
    # Relative to the closest node, so that points far from all nodes keep weights; fading out at the farthest one
    # keeps the field continuous where the set of the nearest nodes changes.
    weight = np.exp(-0.5 * (d**2 - closest**2) / sigma**2)
    weight[~np.isfinite(d)] = 0.0
    return nearest.astype(np.int32), weight / weight.sum(axis=1, keepdims=True)


def _links(surface, node_points, distance, spacing) -> tuple[np.ndarray, np.ndarray]:
    """Links to the nearest nodes along the surface, and through the volume to nodes that face the other way."""
    nodes = surface.points[node_points]
    between = distance[node_points]
    np.fill_diagonal(between, np.inf)
    links: dict[tuple[int, int], float] = {}
    for i in range(len(nodes)):
        for j in np.argsort(between[i], kind="stable")[:NEIGHBOURS].tolist():
            if np.isfinite(between[i, j]):
                links[(min(i, j), max(i, j))] = 1.0
    normals = _point_normals(surface)[node_points]
    direct = np.linalg.norm(nodes[:, None] - nodes[None], axis=2)
    for i in range(len(nodes)):
        across = (nodes - nodes[i]) / np.maximum(direct[i][:, None], 1e-9)
        # Both surfaces look away from each other: the segment between them runs through the inside.
        inside = (across @ normals[i] < -0.5) & ((across * normals).sum(axis=1) > 0.5) & (direct[i] < 2.5 * spacing)
        inside[i] = False
        for j in np.flatnonzero(inside)[np.argsort(direct[i][inside], kind="stable")][:2].tolist():
            links.setdefault((min(i, j), max(i, j)), 0.5)
    pairs = sorted(links)
    return np.array(pairs, np.int32).reshape(-1, 2), np.array([links[p] for p in pairs], np.float64)


def _point_normals(surface: WeldedSurface) -> np.ndarray:
    """(M, 3) unit normals, the mean over the triangles around each point."""
    of_faces = face_normals(surface.points, surface.faces)
    total = np.zeros_like(surface.points)
    for k in range(3):
        np.add.at(total, surface.faces[:, k], of_faces)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
