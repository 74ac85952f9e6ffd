"""Makes the zero surface of a function a closed mesh of even triangles.

A body-centred cubic lattice of tetrahedra gives one that is always closed and manifold; then short edges are collapsed
and vertices spread over the surface.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse

Function = Callable[[np.ndarray], np.ndarray]
SHORT = 0.55  # of the mean edge's length
PASSES = 12
ROUNDS = 12  # of relaxation
FLATTEST = 0.25  # cosine between a face's normal before and after a collapse, at the least


def zero_surface(
    function: Function, low: np.ndarray, high: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """function (P, 3) -> (P,), positive inside, negative on the whole border of the box low..high, each (3,).

    -> positions (N, 3) float64 and faces (F, 3) int64, counter-clockwise from outside. Symmetric functions of z give
    symmetric positions.
    """
    points, tetrahedra = _lattice(low, high, spacing)
    values = np.asarray(function(points), np.float64)
    values[values == 0] = 1e-12  # a surface through a lattice point would not be manifold
    positive = values > 0
    crossed = []
    for corners in tetrahedra:
        inside = positive[corners].sum(axis=1)
        crossed.append(corners[(inside > 0) & (inside < 4)])
    corners = np.concatenate(crossed)
    edges = _triangles_of_edges(corners, positive[corners])
    ends, vertex = np.unique(np.sort(edges.reshape(-1, 2), axis=1), axis=0, return_inverse=True)
    a, b = ends.T
    along = (values[a] / (values[a] - values[b]))[:, None]
    positions = points[a] + along * (points[b] - points[a])
    faces = vertex.reshape(-1, 3)
    return positions, _outwards(positions, faces, edges, positive, points)


def _lattice(low: np.ndarray, high: np.ndarray, spacing: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """The points of both cubic lattices, and per kind of tetrahedron (K, 4) indices of its corners.

    Every tetrahedron has one edge between neighbours of the first lattice; around it lie four points of the second.
    """
    layers = int(np.ceil(max(-low[2], high[2]) / spacing))  # a layer of the first lattice lies in the plane z = 0
    sizes = np.array([*np.ceil((high[:2] - low[:2]) / spacing).astype(int), 2 * layers]) + 2
    start = np.array([low[0] - spacing / 2, low[1] - spacing / 2, -(layers + 0.0) * spacing])
    steps = np.stack(np.meshgrid(*(np.arange(size) for size in sizes), indexing="ij"), axis=-1)
    first = start + spacing * steps.reshape(-1, 3)
    points = np.concatenate([first, first + spacing / 2])
    number = np.arange(len(first)).reshape(sizes)
    kinds = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        # Points whose next one along the axis, and whose four neighbours in the second lattice, exist.
        here = [slice(1, -1)] * 3
        there = list(here)
        there[axis] = slice(2, None)
        ring = []
        for p, q in ((0, 0), (-1, 0), (-1, -1), (0, -1)):
            at = list(here)
            at[others[0]] = slice(1 + p, sizes[others[0]] - 1 + p)
            at[others[1]] = slice(1 + q, sizes[others[1]] - 1 + q)
            ring.append(number[tuple(at)].ravel() + len(first))
        ends = number[tuple(here)].ravel(), number[tuple(there)].ravel()
        kinds += [np.stack([*ends, ring[k], ring[(k + 1) % 4]], axis=1) for k in range(4)]
    return points, kinds


def _triangles_of_edges(corners: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """corners (K, 4), inside (K, 4) bool -> (F, 3, 2): the triangles, each corner as the lattice edge it lies on."""
    order = np.argsort(~inside, axis=1, kind="stable")  # those inside first
    sorted_corners = np.take_along_axis(corners, order, axis=1)
    count = inside.sum(axis=1)
    a, b, c, d = (sorted_corners[count == 1][:, k] for k in range(4))
    single = np.stack([np.stack([a, b], 1), np.stack([a, c], 1), np.stack([a, d], 1)], axis=1)
    a, b, c, d = (sorted_corners[count == 3][:, k] for k in range(4))
    triple = np.stack([np.stack([a, d], 1), np.stack([b, d], 1), np.stack([c, d], 1)], axis=1)
    a, b, c, d = (sorted_corners[count == 2][:, k] for k in range(4))
    ac, ad, bc, bd = (np.stack(pair, 1) for pair in ((a, c), (a, d), (b, c), (b, d)))
    return np.concatenate([single, triple, np.stack([ac, ad, bd], axis=1), np.stack([ac, bd, bc], axis=1)])


def _outwards(
    positions: np.ndarray, faces: np.ndarray, edges: np.ndarray, positive: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Turns the faces so that their normals point from the inside to the outside of their lattice edges."""
    a, b = edges[..., 0], edges[..., 1]
    outward = np.where(positive[a][..., None], points[b] - points[a], points[a] - points[b]).sum(axis=1)
    corners = positions[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    turned = np.einsum("fa,fa->f", normals, outward) < 0
    faces = faces.copy()
    faces[turned] = faces[turned][:, ::-1]
    return faces


def evened(
    positions: np.ndarray,
    faces: np.ndarray,
    value: Function,
    gradient: Function,
    longest_step: float,
    tick: Callable[[], None],
) -> tuple[np.ndarray, np.ndarray]:
    """positions (N, 3), faces (F, 3) of a closed manifold near the zero of `value` (P, 3) -> (P,), whose `gradient` is
    (P, 3) -> fewer of both, on the zero itself. longest_step: of one projection, in the positions' unit.
    tick: called before every pass; what it raises is passed on.
    """
    limit = SHORT * float(_lengths(positions, _edges(faces)).mean())
    for _ in range(PASSES):
        tick()
        positions, faces, collapsed = _collapse(positions, faces, limit)
        positions = _relaxed(positions, faces, value, gradient, longest_step)
        if not collapsed:
            break
    for _ in range(ROUNDS):
        tick()
        faces = _flipped(positions, faces)
        positions = _relaxed(positions, faces, value, gradient, longest_step)
    return positions, faces


def triangle_quality(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,): 1 for an equilateral triangle, 0 for one without area (4 sqrt(3) area / sum of squared sides)."""
    corners = positions[faces]
    sides = np.roll(corners, -1, axis=1) - corners
    doubled = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    return 2 * np.sqrt(3) * doubled / np.maximum((sides**2).sum(axis=(1, 2)), 1e-300)


def _edges(faces: np.ndarray) -> np.ndarray:
    """(E, 2), each once, the lower vertex first: of a closed surface, whose edges run once either way."""
    half = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return half[half[:, 0] < half[:, 1]]


def _lengths(positions: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1)


def _adjacency(edges: np.ndarray, count: int) -> scipy.sparse.csr_matrix:
    ones = np.ones(2 * len(edges), np.int32)
    a, b = edges.T
    return scipy.sparse.csr_matrix((ones, (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(count, count))


def _common_neighbours(adjacency: scipy.sparse.csr_matrix, edges: np.ndarray) -> np.ndarray:
    return np.asarray(adjacency[edges[:, 0]].multiply(adjacency[edges[:, 1]]).sum(axis=1)).ravel()


def _apart(edges: np.ndarray, adjacency: scipy.sparse.csr_matrix, priority: np.ndarray, count: int) -> np.ndarray:
    """Of edges (E, 2), those (E,) bool that come first by `priority` (distinct, low first) among all of whose ends are
    theirs or neighbours of theirs: no two of them touch each other's faces."""
    best = np.full(count, np.inf)
    for end in (0, 1):
        np.minimum.at(best, edges[:, end], priority)
    around = best.copy()
    here = np.repeat(np.arange(count), np.diff(adjacency.indptr))
    np.minimum.at(around, here, best[adjacency.indices])
    return priority == np.minimum(around[edges[:, 0]], around[edges[:, 1]])


def _collapse(positions: np.ndarray, faces: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Collapses as many edges shorter than `limit` as lie apart, into their middles; how many these were."""
    count = len(positions)
    edges = _edges(faces)
    adjacency = _adjacency(edges, count)
    lengths = _lengths(positions, edges)
    short = np.flatnonzero(lengths < limit)
    if len(short):
        short = short[_common_neighbours(adjacency, edges[short]) == 2]
        valence = np.diff(adjacency.indptr)
        short = short[valence[edges[short]].sum(axis=1) > 8]  # two tetrahedra's worth: a part must not vanish
    if not len(short):
        return positions, faces, 0
    candidates = edges[short]
    priority = np.argsort(np.argsort(lengths[short], kind="stable"), kind="stable").astype(np.float64)
    chosen = candidates[_apart(candidates, adjacency, priority, count)]
    chosen = chosen[~_folding(positions, faces, chosen)]
    if not len(chosen):
        return positions, faces, 0
    moved, target = _merged(positions, chosen)
    faces = target[faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (a != c)]
    used, faces = np.unique(faces, return_inverse=True)
    return moved[used], faces.reshape(-1, 3), len(chosen)


def _merged(positions: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions with the edges' first ends in the middle, and (N,) what each vertex becomes."""
    moved = positions.copy()
    moved[edges[:, 0]] = positions[edges].mean(axis=1)
    target = np.arange(len(positions))
    target[edges[:, 1]] = edges[:, 0]
    return moved, target


def _folding(positions: np.ndarray, faces: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(E,) bool: whether collapsing an edge (they lie apart) would turn a face over."""
    moved, target = _merged(positions, edges)
    moved[edges[:, 1]] = moved[edges[:, 0]]
    before, after = _normals(positions, faces), _normals(moved, faces)
    remaining = np.linalg.norm(after, axis=1) > 0
    product = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    bad = remaining & (np.einsum("fa,fa->f", before, after) < FLATTEST * product)
    spoiled = np.zeros(len(positions), bool)
    spoiled[target[faces[bad]].ravel()] = True
    return spoiled[edges[:, 0]]


def _normals(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = positions[faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _flipped(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Turns edges, of those that lie apart, where the two angles against them sum up to more than 180 degrees."""
    half = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    face = np.tile(np.arange(len(faces)), 3)
    forward = half[:, 0] < half[:, 1]
    count = len(positions)
    keys = np.where(forward, half[:, 0] * count + half[:, 1], half[:, 1] * count + half[:, 0])
    there, back = np.flatnonzero(forward), np.flatnonzero(~forward)
    there, back = there[np.argsort(keys[there])], back[np.argsort(keys[back])]  # of a closed surface: pairwise
    edges, c, d = half[there], opposite[there], opposite[back]
    excess = _angle(positions, c, edges) + _angle(positions, d, edges) - np.pi
    adjacency = _adjacency(edges, count)
    valence = np.diff(adjacency.indptr)
    wanted = (excess > 1e-6) & (valence[edges].min(axis=1) > 3)
    wanted &= ~np.isin(np.minimum(c, d) * count + np.maximum(c, d), keys[there])
    before = _normals(positions, faces)
    wanted &= np.einsum("ea,ea->e", before[face[there]], before[face[back]]) > 0
    rows = np.flatnonzero(wanted)
    if not len(rows):
        return faces
    priority = np.argsort(np.argsort(-excess[rows], kind="stable"), kind="stable").astype(np.float64)
    rows = rows[_apart(edges[rows], adjacency, priority, count)]
    a, b = edges[rows].T
    faces = faces.copy()
    # The face of the half-edge a -> b has c to its left: (a, b, c) and (b, a, d) become (a, d, c) and (d, b, c).
    faces[face[there[rows]]] = np.stack([a, d[rows], c[rows]], axis=1)
    faces[face[back[rows]]] = np.stack([d[rows], b, c[rows]], axis=1)
    return faces


def _angle(positions: np.ndarray, tip: np.ndarray, edges: np.ndarray) -> np.ndarray:
    u, v = positions[edges[:, 0]] - positions[tip], positions[edges[:, 1]] - positions[tip]
    lengths = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    return np.arccos(np.clip(np.einsum("ea,ea->e", u, v) / np.maximum(lengths, 1e-300), -1, 1))


def _relaxed(
    positions: np.ndarray, faces: np.ndarray, value: Function, gradient: Function, longest_step: float
) -> np.ndarray:
    """Vertices half-way to the middle of their neighbours, along the surface only, then onto its zero."""
    edges = _edges(faces)
    adjacency = _adjacency(edges, len(positions))
    middle = (adjacency @ positions) / np.maximum(np.diff(adjacency.indptr), 1)[:, None]
    normal = gradient(positions)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    shift = middle - positions
    shift -= np.einsum("na,na->n", shift, normal)[:, None] * normal
    return projected(positions + 0.5 * shift, value, gradient, longest_step)


def projected(positions: np.ndarray, value: Function, gradient: Function, longest_step: float) -> np.ndarray:
    """positions (N, 3) moved onto the zero of `value` by two steps of Newton's method."""
    for _ in range(2):
        slope = gradient(positions)
        step = -(value(positions) / np.maximum((slope**2).sum(axis=1), 1e-12))[:, None] * slope
        length = np.linalg.norm(step, axis=1, keepdims=True)
        positions = positions + step * np.minimum(1, longest_step / np.maximum(length, 1e-300))
    return positions
