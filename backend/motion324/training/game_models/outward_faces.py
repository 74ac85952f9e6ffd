"""Turns faces so that their order is counter-clockwise seen from outside, piece by piece, as games draw both sides of
many meshes and their makers did not care. N vertices, F faces.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

SAME_PLACE = 1e-4  # of the longest side
ENCLOSES = 0.004  # of a piece's area to the power of 3/2: a smaller volume tells nothing


def inside_out(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(F,) bool: faces of pieces that enclose a negative volume, or, where a piece encloses hardly any, whose order
    says the opposite of the normals (N, 3)."""
    size = max(float(np.ptp(vertices, axis=0).max()), 1e-12)
    _, place = np.unique(np.round(vertices / (SAME_PLACE * size)).astype(np.int64), axis=0, return_inverse=True)
    joined = place.reshape(-1)[faces]
    count = int(joined.max()) + 1
    one, two = joined[:, [0, 1]].ravel(), joined[:, [1, 2]].ravel()
    _, pieces = connected_components(sparse.coo_matrix((np.ones(len(one)), (one, two)), shape=(count, count)))
    piece = pieces[joined[:, 0]]
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.bincount(piece, np.linalg.norm(across, axis=1) / 2)
    sizes = np.maximum(np.bincount(piece), 1)
    middles = np.stack([np.bincount(piece, column) for column in corners.mean(axis=1).T], axis=1) / sizes[:, None]
    volumes = np.bincount(piece, np.einsum("fa,fa->f", corners[:, 0] - middles[piece], across) / 6)
    agree = np.bincount(piece, np.einsum("fa,fa->f", across, normals[faces].sum(axis=1)))
    told = np.abs(volumes) > ENCLOSES * np.maximum(areas, 1e-24) ** 1.5
    return np.where(told, volumes < 0, agree < 0)[piece]
