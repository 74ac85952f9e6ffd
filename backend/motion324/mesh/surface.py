"""Samples points on a mesh's surface, with normals and colours, and gives its vertices the same attributes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.checks import bad_mesh
from motion324.mesh.colours import colours_at


@dataclass(frozen=True)
class SurfaceSamples:
    """S points spread over the surface in proportion to its area.

    points (S, 3) float32: normalised space. normals (S, 3) float32: unit, of the face.
    colours (S, 3) float32: sRGB in [0, 1], from texture, vertex colours and material at the sample.
    faces (S,) int32, barycentric (S, 3) float32: where on the mesh a sample lies.
    """

    points: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    faces: np.ndarray
    barycentric: np.ndarray


def sample_surface(mesh: ReferenceMesh, count: int, seed: int) -> SurfaceSamples:
    """`count` samples of the surface, evenly by area: the same seed gives the same samples.

    Triangles are drawn from `count` equal shares of the whole area, one sample in each (stratified sampling), so that
    a triangle of k shares gets between k - 1 and k + 1 of them. Triangles without area get none.
    Raises Motion324Error("mesh-zero-area") where there is no area at all.
    """
    corners = mesh.positions.astype(np.float64)[mesh.faces]  # (F, 3, 3)
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled_areas = np.linalg.norm(crosses, axis=1)
    cumulative = np.cumsum(doubled_areas)
    if not cumulative.size or not cumulative[-1] > 0:
        raise bad_mesh("mesh-zero-area", f"The faces of the mesh '{mesh.name}' have no area: all are degenerate.")
    generator = np.random.default_rng(seed)
    shares = (np.arange(count) + generator.random(count)) / count * cumulative[-1]
    last = int(np.flatnonzero(doubled_areas)[-1])  # rounding must not step onto a degenerate triangle at the end
    faces = np.minimum(np.searchsorted(cumulative, shares, side="right"), last)
    barycentric = _uniform_barycentric(generator, count)
    points = np.einsum("sc,scd->sd", barycentric, corners[faces])
    normals = crosses[faces] / doubled_areas[faces, None]
    return SurfaceSamples(
        points=points.astype(np.float32),
        normals=normals.astype(np.float32),
        colours=colours_at(mesh, faces, barycentric),
        faces=faces.astype(np.int32),
        barycentric=barycentric.astype(np.float32),
    )


def _uniform_barycentric(generator: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) float64: uniform over a triangle, by folding the unit square at the square root of one variable."""
    root, across = np.sqrt(generator.random(count)), generator.random(count)
    return np.stack([1 - root, root * (1 - across), root * across], axis=1)


def vertex_attributes(mesh: ReferenceMesh, surface: SurfaceSamples) -> tuple[np.ndarray, np.ndarray]:
    """Normals (N, 3) and sRGB colours (N, 3), float32: the colours of the samples that are nearest to the vertices, and
    their normals too where a vertex has none."""
    _, nearest = cKDTree(surface.points).query(mesh.positions)
    normals = vertex_normals(mesh)
    lost = np.linalg.norm(normals, axis=1) < 0.5
    normals[lost] = surface.normals[nearest[lost]]
    return normals, surface.colours[nearest].astype(np.float32)


def vertex_normals(mesh: ReferenceMesh) -> np.ndarray:
    """(N, 3) float32: the faces' normals around each vertex, weighted by area; zero where no face with area is.

    Vertices at the same place share a normal: files split them where textures or parts meet, the surface does not end
    there.
    """
    return moving_normals(mesh.positions[None], mesh.faces)[0]


def moving_normals(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """positions (T, N, 3), faces (F, 3) -> (T, N, 3) float32: `vertex_normals` in every frame; the vertices that share
    a normal are those that share a place in the first."""
    _, places = np.unique(positions[0], axis=0, return_inverse=True)
    corners = places.reshape(-1)[faces]
    around = sparse.csr_matrix(
        (np.ones(corners.size), (corners.ravel(), np.repeat(np.arange(len(faces)), 3))),
        shape=(int(places.max()) + 1, len(faces)),
    )
    normals = np.empty(positions.shape, np.float32)
    for frame, found in zip(positions, normals, strict=True):
        of_faces = frame.astype(np.float64)[faces]
        sums = around @ np.cross(of_faces[:, 1] - of_faces[:, 0], of_faces[:, 2] - of_faces[:, 0])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        unit = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 1e-20)
        found[:] = unit[places.reshape(-1)]
    return normals
