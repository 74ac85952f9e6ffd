"""Finds the same surface in two meshes whose faces and vertices are numbered in different ways.

What faces show of their texture tells them apart. Where several show the same, as the halves of a symmetric body do,
the poses say which is which: those of one body are alike somewhere. T poses, F faces.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.optimize import linear_sum_assignment

from motion324.training.game_models.megaglest.g3d_files import G3DMesh

SAME_UV = 2e-3
NEARLY_ALL = 0.98  # of the faces, or of the corners
STEPS = 1000  # that the width of a texture is cut into, where faces are sought by what they show
TOGETHER = 2e-3  # of the longest side: corners of one vertex lie no farther apart


@lru_cache(maxsize=2048)  # the files of a unit are compared with each other again and again
def numbered_like(mesh: G3DMesh, like: G3DMesh) -> G3DMesh | None:
    """The mesh with its faces and their corners in the order of `like`; None where it is another surface."""
    if len(mesh.faces) != len(like.faces) or (mesh.uv is None) != (like.uv is None):
        return None
    if mesh.faces.shape == like.faces.shape and (mesh.faces == like.faces).all():
        return mesh
    if mesh.uv is None or like.uv is None:
        return None
    apart = np.abs(mesh.uv[mesh.faces] - like.uv[like.faces]).max(axis=(1, 2))
    if (apart < SAME_UV).mean() > NEARLY_ALL:
        return mesh
    return _reordered(mesh, like)


def _reordered(mesh: G3DMesh, like: G3DMesh) -> G3DMesh | None:
    ours, theirs = _by_what_they_show(mesh), _by_what_they_show(like)
    shared = [key for key in theirs if len(ours.get(key, ())) == len(theirs[key])]
    if sum(len(theirs[key]) for key in shared) < NEARLY_ALL * len(like.faces):
        return None
    faces = np.full_like(like.faces, -1)
    alone = [(ours[key][0], theirs[key][0]) for key in shared if len(theirs[key]) == 1]
    several = [(ours[key], theirs[key]) for key in shared if len(theirs[key]) > 1]
    _, pairs = min(
        (_paired(mesh, like, look, several) for look in range(len(like.positions))), key=lambda each: each[0]
    )
    for (own, turn), (wanted, back) in alone + pairs:
        faces[wanted] = np.roll(np.roll(mesh.faces[own], -turn), back)
    missing = faces[:, 0] < 0
    if missing.any():
        by_vertex = dict(zip(like.faces[~missing].ravel(), faces[~missing].ravel(), strict=True))
        for face in np.flatnonzero(missing):
            found = [by_vertex.get(vertex) for vertex in like.faces[face]]
            if any(vertex is None for vertex in found):
                return None
            faces[face] = found
    return replace(mesh, faces=faces) if _hangs_together(mesh, faces, like.faces) else None


Face = tuple[int, int]  # its number, and by how many corners it was turned


def _by_what_they_show(mesh: G3DMesh) -> dict[tuple[tuple[int, int], ...], list[Face]]:
    """Faces by the places of their corners in the texture, the smallest place first."""
    assert mesh.uv is not None
    result = defaultdict(list)
    for number, corners in enumerate(np.round(mesh.uv[mesh.faces] * STEPS).astype(int)):
        places = [(int(u), int(v)) for u, v in corners]
        turn = places.index(min(places))
        result[tuple(places[turn:] + places[:turn])].append((number, turn))
    return result


def _paired(
    mesh: G3DMesh, like: G3DMesh, look: int, groups: list[tuple[list[Face], list[Face]]]
) -> tuple[float, list[tuple[Face, Face]]]:
    """Faces that show the same, paired so that those lie nearest: in the mesh's first pose and this one of `like`."""
    here = mesh.positions[0][mesh.faces].mean(axis=1)
    there = like.positions[look][like.faces].mean(axis=1)
    total, pairs = 0.0, []
    for ours, theirs in groups:
        apart = np.linalg.norm(here[[f for f, _ in ours]][:, None] - there[[f for f, _ in theirs]][None], axis=2)
        rows, columns = linear_sum_assignment(apart)
        total += float(apart[rows, columns].sum())
        pairs += [(ours[row], theirs[column]) for row, column in zip(rows, columns, strict=True)]
    return total, pairs


def _hangs_together(mesh: G3DMesh, faces: np.ndarray, numbers: np.ndarray) -> bool:
    """Whether corners that are one vertex of the other mesh lie at one place in this one, in all poses."""
    size = max(float(np.ptp(mesh.positions[0], axis=0).max()), 1e-12)
    _, first, inverse = np.unique(numbers.ravel(), return_index=True, return_inverse=True)
    corners = mesh.positions[:, faces.ravel()]
    apart = np.linalg.norm(corners - corners[:, first[inverse.reshape(-1)]], axis=2).max(axis=0)
    return bool((apart < TOGETHER * size).mean() > NEARLY_ALL)
