"""Cuts polygons with any number of corners into triangles that keep the corners' identity.

Larger polygons are cut by mapbox-earcut. Quads, which most meshes consist of, are cut all at once here: the library
takes one polygon at a time, and takes no heed of how a bent one folds.
"""

from __future__ import annotations

import itertools

import numpy as np
from mapbox_earcut import triangulate_float64

from motion324.core.progress import Progress, silent

_AT_ONCE = 2**17  # quads between two looks for cancellation
_ONE_BY_ONE = 256  # larger polygons between two


def triangulate(
    positions: np.ndarray, corners: np.ndarray, starts: np.ndarray, progress: Progress = silent
) -> np.ndarray:
    """Which corners form triangles, polygon after polygon.

    positions (N, 3); corners (C,) vertex of each corner, polygon after polygon; starts (P + 1,) first corner of each
    polygon, and C at the end. -> (F, 3) int64 indices into `corners`. Quads are cut so that neither half turns over,
    along the shorter diagonal if both fit; larger polygons by clipping ears, so that concave ones stay whole.
    Polygons with fewer than three corners, or with corners that do not exist, are fanned or left out as they are.
    Raises Cancelled.
    """
    counts = np.diff(starts)
    valid = np.logical_and(corners >= 0, corners < len(positions))
    safe = positions[np.where(valid, corners, 0)].astype(np.float64) if len(positions) else np.zeros((len(corners), 3))
    triangles: list[np.ndarray] = [np.zeros((0, 3), np.int64)]
    owners: list[np.ndarray] = [np.zeros(0, np.int64)]
    for count in np.unique(counts[counts >= 3]):
        polygons = np.flatnonzero(counts == count)
        indices = starts[polygons, None] + np.arange(count)  # (P, count)
        if count <= 4:
            for first in range(0, len(polygons), _AT_ONCE):
                progress("read", 0, 1)
                some = indices[first : first + _AT_ONCE]
                cut = some[:, None, :] if count == 3 else _cut_quads(safe, some)
                triangles.append(cut.reshape(-1, 3))
                owners.append(np.repeat(polygons[first : first + _AT_ONCE], cut.shape[1]))
            continue
        for number, (polygon, corners_of) in enumerate(zip(polygons, indices, strict=True)):
            if number % _ONE_BY_ONE == 0:
                progress("read", 0, 1)
            cut = corners_of[_cut_polygon(safe[corners_of])]
            triangles.append(cut)
            owners.append(np.full(len(cut), polygon))
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


def _cut_polygon(points: np.ndarray) -> np.ndarray:
    """One polygon's points (K, 3) in order -> (K - 2, 3) indices, by ear clipping in the polygon's mean plane.

    Fewer where the polygon touches or crosses itself: it is cut apart there, as far as triangles can cover it.
    """
    if not np.isfinite(points).all():
        return _fan(len(points))
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)  # Newell
    axes = [axis for axis in range(3) if axis != int(np.argmax(np.abs(normal)))]
    flat = np.ascontiguousarray(points[:, axes])
    found = triangulate_float64(flat, np.array([len(flat)], np.uint32))
    if len(found) == 0:  # no area
        return _fan(len(points))
    # Each triangle goes around as its polygon does, whose corners are numbered in that order.
    return _with_passed_corners(np.sort(found.reshape(-1, 3).astype(np.int64), axis=1), len(points))


def _fan(count: int) -> np.ndarray:
    return np.stack([np.zeros(count - 2, np.int64), np.arange(1, count - 1), np.arange(2, count)], axis=1)


def _with_passed_corners(triangles: np.ndarray, count: int) -> np.ndarray:
    """The library passes over corners on a straight line, and one of two at the same place; without them a mesh would
    tear there as soon as it moves. Each side of a triangle on which such corners lie is cut at them.

    triangles (F, 3) int64: rising numbers of corners, below `count`. -> (K - 2, 3), as `_cut_polygon` returns.
    """
    kept = np.unique(triangles)
    if len(kept) == count:
        return triangles
    whole = {tuple(int(corner) for corner in triangle) for triangle in triangles}
    side_of = {side: triangle for triangle in whole for side in _sides(triangle)}
    for start, end in zip(kept, np.roll(kept, -1), strict=True):
        passed = [int(corner) % count for corner in range(start + 1, end if end > start else end + count)]
        triangle = side_of.get((int(start), int(end)))
        if not passed or triangle is None:
            continue
        (top,) = set(triangle) - {int(start), int(end)}
        whole.remove(triangle)
        line = [int(start), *passed, int(end)]
        for pair in itertools.pairwise(line):
            cut = tuple(sorted((*pair, top)))
            whole.add(cut)
            side_of.update(dict.fromkeys(_sides(cut), cut))
    return np.array(sorted(whole))


def _sides(triangle: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    first, second, third = triangle
    return (first, second), (second, third), (third, first)
