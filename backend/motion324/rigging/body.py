"""The body that a mesh encloses: which of its vertices are neighbours, and what lies inside of it.

Its inside is told by balls that fit into it, as wide as the surface lets them be ("shrinking balls", Ma, Bae and Choi,
"3D medial axis point approximation using nearest neighbors and the normal field", 2012): wide ones lie in the middle of
limbs, where joints belong, and meshes of several pieces that overlap, or with holes, need no special care. Where a
surface is open a ball finds nothing that holds it, and there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from motion324.core.errors import Motion324Error
from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.surface import SurfaceSamples, sample_surface

SAMPLES = 12_000  # of the surface
TOUCH = 0.02  # of the longest side: pieces of a mesh that come so near are neighbours
REACHES = (0.04, 0.08, 0.16)  # likewise: within which those that touch nothing have neighbours
FEW = 1500  # samples among which these are looked for
WIDEST = 0.5  # of the longest side: radius of the ball that every one shrinks from
SHRINKS = 30
DEEP = 0.9  # of a ball's radius: what is so near to its centre is well inside, since balls look out between samples
INNER = 0.8  # of a ball's radius: how far from its centre a point is put that was outside


@dataclass(frozen=True)
class Body:
    """P places of vertices (those of one place count once), the longest side 1.

    links (P, P): lengths of the edges between neighbours. areas (P,): of the surface about each.
    centres (B, 3), radii (B,): balls inside. owners (B,): the place where each touches the surface.
    """

    places: np.ndarray
    links: sparse.csr_matrix
    areas: np.ndarray
    centres: np.ndarray
    radii: np.ndarray
    owners: np.ndarray

    def holds(self, points: np.ndarray) -> np.ndarray:
        """points (..., 3) -> (...,) bool: well inside; everything is, of a body that encloses nothing."""
        if not len(self.radii):
            return np.ones(points.shape[:-1], bool)
        flat = points.reshape(-1, 3)
        apart = np.linalg.norm(flat[:, None] - self.centres, axis=2)
        return np.asarray((apart <= DEEP * self.radii).any(axis=1)).reshape(points.shape[:-1])

    def inner_points(self, point: np.ndarray) -> np.ndarray:
        """(B, 3): what of each ball, well inside of it, is nearest to the point (3,)."""
        ways = point - self.centres
        far = np.maximum(np.linalg.norm(ways, axis=1), 1e-12)
        return np.asarray(self.centres + ways * np.minimum(1, INNER * self.radii / far)[:, None])

    def away_from(self, sources: np.ndarray, reach: float) -> np.ndarray:
        """sources (n,): places -> (P,): how far each place is from them along the surface, infinite beyond reach."""
        return np.asarray(dijkstra(self.links, indices=sources, min_only=True, limit=reach))

    def among(self, sample: np.ndarray) -> sparse.csr_matrix:
        """sample (S,): some places -> (S, S) bool: which of them are neighbours, as the places are that are nearest to
        each of them along the surface.
        """
        _, _, sources = dijkstra(self.links, indices=sample, min_only=True, return_predecessors=True)
        number = np.full(len(self.places) + 1, -1)  # the last one for places that hang together with none of them
        number[sample] = np.arange(len(sample))
        nearest = number[np.maximum(sources, -1)]
        one, two = (nearest[side] for side in self.links.nonzero())
        joined = (one != two) & (one >= 0) & (two >= 0)
        pairs = (np.ones(int(joined.sum()), bool), (one[joined], two[joined]))
        return sparse.coo_matrix(pairs, shape=(len(sample),) * 2).tocsr()


def body_of(places: np.ndarray, faces: np.ndarray) -> Body:
    """places (P, 3), no two alike; faces (F, 3): indices of them."""
    count = len(places)
    edges = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    edges = edges[edges[:, 0] < edges[:, 1]]
    pieces, piece = connected_components(_graph(places, edges), directed=False)
    crosses = np.cross(places[faces[:, 1]] - places[faces[:, 0]], places[faces[:, 2]] - places[faces[:, 0]])
    areas = np.bincount(faces.ravel(), np.repeat(np.linalg.norm(crosses, axis=1) / 6, 3), minlength=count)
    surface = _samples(places, faces)
    if surface is None:
        nothing = np.zeros((0, 3))
        return Body(places, _graph(places, edges), areas, nothing, np.zeros(0), np.zeros(0, int))
    nearest = faces[surface.faces, surface.barycentric.argmax(axis=1)]
    bridges = _bridges(surface.points, nearest, piece) if pieces > 1 else np.zeros((0, 2), int)
    normals = surface.normals * _outward(places[faces], crosses, piece[faces[:, 0]])[piece[nearest], None]
    centres, radii, held = _inscribed(surface.points.astype(np.float64), normals)
    return Body(places, _graph(places, np.concatenate([edges, bridges])), areas, centres, radii, nearest[held])


def _graph(places: np.ndarray, edges: np.ndarray) -> sparse.csr_matrix:
    lengths = np.maximum(np.linalg.norm(places[edges[:, 0]] - places[edges[:, 1]], axis=1), 1e-9)
    one_way = sparse.coo_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(len(places), len(places))).tocsr()
    return one_way.maximum(one_way.T).tocsr()


def _samples(places: np.ndarray, faces: np.ndarray) -> SurfaceSamples | None:
    plain = np.zeros(len(faces), np.int32)
    mesh = ReferenceMesh(places.astype(np.float32), faces.astype(np.int32), face_material=plain)
    try:
        return sample_surface(mesh, SAMPLES, seed=0)
    except Motion324Error:  # nothing of it has an area
        return None


def _outward(corners: np.ndarray, crosses: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """corners (F, 3, 3), crosses (F, 3) of two sides, piece (F,): its number -> for each piece 1, or -1 where its
    normals point inwards, which the sign of its volume tells: seen from its own middle, as it may be open.
    """
    sizes = np.maximum(np.bincount(piece), 1)
    middles = np.stack([np.bincount(piece, corners[:, 0, axis]) / sizes for axis in range(3)], axis=1)
    volumes = np.einsum("fc,fc->f", corners[:, 0] - middles[piece], crosses)
    return np.where(np.bincount(piece, volumes) < 0, -1.0, 1.0)


def _bridges(points: np.ndarray, nearest: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """(E, 2): places of different pieces of the mesh that touch, and the nearest ones of those that touch nothing."""
    of_point = piece[nearest]
    pairs = _pairs(points, TOUCH)
    pairs = pairs[of_point[pairs[:, 0]] != of_point[pairs[:, 1]]]
    firsts = np.unique(of_point, return_index=True)[1]
    few = np.union1d(firsts, np.linspace(0, len(points) - 1, FEW).astype(int))  # far ones need not be exact
    for reach in REACHES:
        hanging = sparse.coo_matrix((np.ones(len(pairs)), of_point[pairs].T), shape=(piece.max() + 1,) * 2)
        group = connected_components(hanging, directed=False)[1][of_point]
        if (group == group[0]).all():
            break
        wider = few[_pairs(points[few], reach)]
        pairs = np.concatenate([pairs, wider[group[wider[:, 0]] != group[wider[:, 1]]]])
    edges = np.sort(nearest[pairs], axis=1)
    return np.unique(edges[edges[:, 0] < edges[:, 1]], axis=0)


def _pairs(points: np.ndarray, reach: float) -> np.ndarray:
    return np.asarray(cKDTree(points).query_pairs(reach, output_type="ndarray")).reshape(-1, 2)


def _inscribed(points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """points (S, 3), outward normals (S, 3) -> centres (B, 3), radii (B,), and which point each ball hangs on (B,)."""
    tree = cKDTree(points)
    radii, touched = np.full(len(points), WIDEST), np.full(len(points), -1)
    todo = np.arange(len(points))
    for _ in range(SHRINKS):
        centres = points[todo] - radii[todo, None] * normals[todo]
        away, nearest = tree.query(centres)
        todo, nearest = todo[smaller := away < radii[todo] * (1 - 1e-3)], nearest[smaller]
        if not len(todo):
            break
        ways = points[todo] - points[nearest]
        along = np.einsum("sc,sc->s", ways, normals[todo])
        radii[todo] = np.minimum(np.square(ways).sum(axis=1) / np.maximum(2 * along, 1e-9), radii[todo])
        touched[todo] = nearest
    centres = points - radii[:, None] * normals
    from_within = np.einsum("sc,sc->s", points[touched] - centres, normals[touched]) > 0
    held = np.flatnonzero((touched >= 0) & from_within)
    return centres[held], radii[held], held
