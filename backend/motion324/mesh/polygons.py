"""Polygons with any number of corners -> triangles that keep the corners' identity."""

from __future__ import annotations

import numpy as np


def triangulate(positions: np.ndarray, corners: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Which corners form triangles, polygon after polygon.

    positions (N, 3); corners (C,) vertex of each corner, polygon after polygon; starts (P + 1,) first corner of each
    polygon, and C at the end. -> (F, 3) int64 indices into `corners`. Quads are cut so that neither half turns over,
    along the shorter diagonal if both fit; larger polygons by clipping ears, so that concave ones stay whole.
    Polygons with fewer than three corners, or with corners that do not exist, are fanned or left out as they are.
    """
    counts = np.diff(starts)
    valid = np.logical_and(corners >= 0, corners < len(positions))
    safe = positions[np.where(valid, corners, 0)].astype(np.float64) if len(positions) else np.zeros((len(corners), 3))
    triangles: list[np.ndarray] = [np.zeros((0, 3), np.int64)]
    owners: list[np.ndarray] = [np.zeros(0, np.int64)]
    for count in np.unique(counts[counts >= 3]):
        polygons = np.flatnonzero(counts == count)
        indices = starts[polygons, None] + np.arange(count)  # (P, count)
        if count == 3:
            cut = indices[:, None, :]
        elif count == 4:
            cut = _cut_quads(safe, indices)
        else:
            cut = np.stack([polygon[_clip_ears(safe[polygon])] for polygon in indices])
        triangles.append(cut.reshape(-1, 3))
        owners.append(np.repeat(polygons, cut.shape[1]))
    order = np.argsort(np.concatenate(owners), kind="stable")
    return np.concatenate(triangles)[order]


def _cut_quads(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """quads (Q, 4) indices into points -> (Q, 2, 3)."""
    a, b, c, d = (points[quads[:, corner]] for corner in range(4))
    fold_ac = np.einsum("qd,qd->q", np.cross(b - a, c - a), np.cross(c - a, d - a))
    fold_bd = np.einsum("qd,qd->q", np.cross(c - b, d - b), np.cross(d - b, a - b))
    shorter_bd = np.linalg.norm(d - b, axis=1) < np.linalg.norm(c - a, axis=1) * (1 - 1e-6)
    along_bd = np.where((fold_ac > 0) == (fold_bd > 0), shorter_bd, fold_bd > 0)
    one = quads[:, [[0, 1, 2], [0, 2, 3]]]
    other = quads[:, [[0, 1, 3], [1, 2, 3]]]
    return np.where(along_bd[:, None, None], other, one)


def _clip_ears(points: np.ndarray) -> np.ndarray:
    """One polygon's points (K, 3) in order -> (K - 2, 3) indices, by ear clipping in the polygon's mean plane."""
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)  # Newell
    axes = [axis for axis in range(3) if axis != int(np.argmax(np.abs(normal)))]
    flat = points[:, axes]
    if _area(flat) < 0:
        flat = flat * np.array([-1.0, 1.0])
    left = list(range(len(points)))
    triangles = []
    while len(left) > 3:
        ear = next((k for k in range(len(left)) if _is_ear(flat, left, k)), 0)
        before, here, after = left[ear - 1], left[ear], left[(ear + 1) % len(left)]
        triangles.append((before, here, after))
        del left[ear]
    triangles.append((left[0], left[1], left[2]))
    return np.array(triangles)


def _area(flat: np.ndarray) -> float:
    x, y = flat[:, 0], flat[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def _is_ear(flat: np.ndarray, left: list[int], k: int) -> bool:
    a, b, c = flat[left[k - 1]], flat[left[k]], flat[left[(k + 1) % len(left)]]
    if _turn(a, b, c) <= 0:
        return False
    others = flat[[v for v in left if v not in (left[k - 1], left[k], left[(k + 1) % len(left)])]]
    inside = (_turn(a, b, others) >= 0) & (_turn(b, c, others) >= 0) & (_turn(c, a, others) >= 0)
    return not np.any(inside)


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Twice the signed area of triangle a, b, c; c may be (K, 2)."""
    return (b[0] - a[0]) * (c[..., 1] - a[1]) - (b[1] - a[1]) * (c[..., 0] - a[0])
