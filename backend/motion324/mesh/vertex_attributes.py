"""Normals and colours of a mesh's vertices."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.surface import SurfaceSamples


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
    positions = mesh.positions.astype(np.float64)
    _, places = np.unique(positions, axis=0, return_inverse=True)
    places = places.reshape(-1)
    corners = positions[mesh.faces]
    doubled_areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.stack(
        [
            np.bincount(places[mesh.faces].ravel(), np.repeat(doubled_areas[:, axis], 3), places.max() + 1)
            for axis in range(3)
        ],
        axis=1,
    )
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    normals = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 1e-20)
    return normals[places].astype(np.float32)
