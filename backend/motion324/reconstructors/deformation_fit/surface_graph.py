"""Joins the welded surface to a graph: coincident vertices joined, long edges split, loose parts bridged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

WELD_DISTANCE = 1e-4  # of the longest side: closer vertices are one point of the surface
LONGEST_EDGE = 0.035  # of the longest side: longer edges are split
BRIDGES_PER_PART = 4
FEW_NEIGHBOURS, MANY_NEIGHBOURS = 8, 512  # that are looked at for one that lies in another part
QUERY_SIZE = 200_000  # neighbours that are looked up at once, in some 0.1 s


@dataclass(frozen=True)
class WeldedSurface:
    """points (M, 3): the welded vertices first, then those that splitting added.
    faces (F, 3) int: on points. vertex_point (N,) int: the point of every vertex of the reference mesh.
    lengths (M, M) sparse: symmetric edge lengths, bridges between loose parts included.
    """

    points: np.ndarray
    faces: np.ndarray
    vertex_point: np.ndarray
    lengths: csr_matrix


def weld(positions: np.ndarray, faces: np.ndarray, check: Callable[[], None] = lambda: None) -> WeldedSurface:
    """positions (N, 3) in normalised space, faces (F, 3) -> the connected surface that the deformation lives on.

    check is called often, and may raise to stop.
    """
    points, vertex_point = _joined(np.asarray(positions, np.float64), check)
    check()
    welded = vertex_point[faces]
    distinct = (welded[:, 0] != welded[:, 1]) & (welded[:, 1] != welded[:, 2]) & (welded[:, 2] != welded[:, 0])
    points, split_faces = split_long_edges(points, welded[distinct], LONGEST_EDGE)
    check()
    edges = unique_edges(split_faces)
    edges = _once(np.concatenate([edges, _bridges(points, edges, check)]))
    check()
    lengths = np.maximum(np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1), 1e-9)
    half = coo_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(len(points), len(points))).tocsr()
    return WeldedSurface(points, split_faces, vertex_point, half.maximum(half.T).tocsr())


def unique_edges(faces: np.ndarray) -> np.ndarray:
    """faces (F, 3) -> (E, 2) int, each undirected edge once, its smaller index first."""
    return _once(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]))


def _once(edges: np.ndarray) -> np.ndarray:
    """(E, 2) -> each undirected edge once, its smaller index first, in ascending order."""
    count = int(edges.max()) + 1 if len(edges) else 1
    keys = np.unique(edges.min(axis=1).astype(np.int64) * count + edges.max(axis=1))
    return np.stack([keys // count, keys % count], axis=1)


def split_long_edges(points: np.ndarray, faces: np.ndarray, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Splits every edge over `longest` at its middle, again and again, the same way in both its triangles.

    The first len(points) points stay as they are. Stops at 40,000 points, so that a few huge triangles beside many
    small ones cost no more than that.
    """
    for _ in range(12):
        edges = unique_edges(faces)
        long = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1) > longest
        if not long.any() or len(points) + long.sum() > 40_000:
            break
        split = edges[long]
        middles = np.stack([_middles(split, faces[:, [k, (k + 1) % 3]], len(points)) for k in range(3)], axis=1)
        faces = _split_faces(faces, middles)
        points = np.concatenate([points, (points[split[:, 0]] + points[split[:, 1]]) / 2])
    return points, faces


def _middles(split: np.ndarray, edges: np.ndarray, count: int) -> np.ndarray:
    """The new point (E,) in the middle of every edge (E, 2): `count` plus its row in split (S, 2), or -1."""
    keys = split[:, 0].astype(np.int64) * count + split[:, 1]
    wanted = edges.min(axis=1).astype(np.int64) * count + edges.max(axis=1)
    row = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[row] == wanted, count + row, -1)


def _split_faces(faces: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """middles (F, 3): the new point on the edge from corner k to k + 1, or -1."""
    parts = []
    count = (middles >= 0).sum(axis=1)
    parts.append(faces[count == 0])
    for wanted in (1, 2):
        # Turn each triangle so that its one split edge is the first, or its one whole edge is the last.
        first = np.argmax(middles >= 0, axis=1) if wanted == 1 else (np.argmax(middles < 0, axis=1) + 1) % 3
        rows = np.flatnonzero(count == wanted)
        turn = (first[rows, None] + np.arange(3)) % 3
        a, b, c = np.take_along_axis(faces[rows], turn, axis=1).T
        ab, bc, _ = np.take_along_axis(middles[rows], turn, axis=1).T
        if wanted == 1:
            parts += [np.stack([a, ab, c], axis=1), np.stack([ab, b, c], axis=1)]
        else:
            parts += [np.stack([ab, b, bc], axis=1), np.stack([a, ab, bc], axis=1), np.stack([a, bc, c], axis=1)]
    a, b, c = faces[count == 3].T
    ab, bc, ca = middles[count == 3].T
    parts += [np.stack(corner, axis=1) for corner in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return np.concatenate(parts)


def _joined(positions: np.ndarray, check: Callable[[], None]) -> tuple[np.ndarray, np.ndarray]:
    """Joins vertices closer than WELD_DISTANCE (through chains of such) -> points (M, 3), vertex_point (N,)."""
    pairs = cKDTree(positions).query_pairs(WELD_DISTANCE, output_type="ndarray")
    check()
    count = len(positions)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    parts, label = connected_components(graph, directed=False)
    sums = np.stack([np.bincount(label, positions[:, k], parts) for k in range(3)], axis=1)
    return sums / np.bincount(label, minlength=parts)[:, None], label


def _bridges(points: np.ndarray, edges: np.ndarray, check: Callable[[], None]) -> np.ndarray:
    """Edges (B, 2) that tie the loose parts of a surface together, nearest first, until all hang together.

    As in Boruvka's spanning tree: in every round each part is tied to the nearest other one, by the few shortest
    links between its points and that part, so that the tie holds it in all directions.
    """
    count = len(points)
    found: list[np.ndarray] = []
    tree = cKDTree(points)
    while True:
        check()
        all_edges = np.concatenate([edges, *found])
        graph = coo_matrix((np.ones(len(all_edges)), (all_edges[:, 0], all_edges[:, 1])), shape=(count, count))
        check()
        parts, label = connected_components(graph, directed=False)
        if parts == 1:
            return np.concatenate(found) if found else np.zeros((0, 2), edges.dtype)
        distance, nearest = _nearest_in_others(points, tree, label, parts, check)
        check()
        best = _best_of_each(distance, label)
        found.append(np.stack([best, nearest[best]], axis=1).astype(edges.dtype))


def _nearest_in_others(
    points: np.ndarray, tree: cKDTree, label: np.ndarray, parts: int, check: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray]:
    """For points (M, 3) of all parts but the largest, the distance (M,) to the nearest point of another part, and its
    index (M,): of those at least that can be among the BRIDGES_PER_PART nearest of their part; inf for the others.

    Asks for more and more neighbours, since most parts are small, and in large ones most points lie too deep inside:
    as many small parts take no more time than their points do.
    """
    distance, nearest = np.full(len(points), np.inf), np.full(len(points), -1)
    todo = np.flatnonzero(label != np.bincount(label).argmax())
    limit = np.full(parts, np.inf)  # beyond which a part needs no point any more
    count = FEW_NEIGHBOURS
    while todo.size and count <= MANY_NEIGHBOURS:
        left = []
        for rows in np.array_split(todo, max(1, todo.size * count // QUERY_SIZE)):
            check()
            away, which = tree.query(points[rows], k=min(count, len(points)))
            other = label[which] != label[rows, None]
            first, known = other.argmax(axis=1), other.any(axis=1)
            distance[rows[known]] = away[known, first[known]]
            nearest[rows[known]] = which[known, first[known]]
            left.append((rows[~known], away[~known, -1]))
        check()
        best = _best_of_each(distance, label)
        last = best[_ranks(label[best]) == BRIDGES_PER_PART - 1]
        limit[label[last]] = distance[last]
        todo = np.concatenate([rows[beyond <= limit[label[rows]]] for rows, beyond in left])
        count *= 4
    for part in np.unique(label[todo]):  # large parts that lie apart: there are only few
        check()
        rows, outside = todo[label[todo] == part], np.flatnonzero(label != part)
        distance[rows], which = cKDTree(points[outside]).query(points[rows])
        nearest[rows] = outside[which]
    return distance, nearest


def _best_of_each(distance: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The indices of the BRIDGES_PER_PART smallest distances (M,) of every part, as far as they are finite."""
    known = np.flatnonzero(np.isfinite(distance))
    ordered = known[np.lexsort((distance[known], label[known]))]
    return ordered[_ranks(label[ordered]) < BRIDGES_PER_PART]


def _ranks(label: np.ndarray) -> np.ndarray:
    """label (K,) in ascending order -> how many of the same stand before each."""
    return np.arange(len(label)) - np.searchsorted(label, label)
