"""The zero surface of a function on a body-centred cubic lattice of tetrahedra: always closed and manifold.

Marching tetrahedra (Doi and Koide 1991) have no ambiguous cases: inside one tetrahedron a sign pattern gives a triangle
or a quadrilateral, and neighbours share its edges, whatever the function does. The body-centred cubic lattice has the
most regular tetrahedra that fill space by one shape (Labelle and Shewchuk 2007).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


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
