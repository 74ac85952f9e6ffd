"""Finds exact closest points on a surface, and triangles that cut each other, by a tree of boxes around triangles.

It is written here and compiled by numba, since scipy's trees hold points only.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

_LEAF = 4  # triangles in a leaf
_DEPTH = 64  # of the stacks that walk the tree; halving gives some 30 at the most


class TriangleTree:
    """Of positions (N, 3) and faces (F, 3). `moved` gives the tree of the same faces at other positions, quickly."""

    def __init__(self, positions: np.ndarray, faces: np.ndarray) -> None:
        corners = np.ascontiguousarray(positions.astype(np.float64)[faces])
        self.order, self.children = _split(corners.mean(axis=1))
        self.faces = faces
        self.corners = corners[self.order]
        self.boxes = _boxes(self.corners, self.children)

    def moved(self, positions: np.ndarray) -> TriangleTree:
        """positions (N, 3): the vertices' new places."""
        tree = object.__new__(TriangleTree)
        tree.order, tree.children, tree.faces = self.order, self.children, self.faces
        tree.corners = np.ascontiguousarray(positions.astype(np.float64)[self.faces[self.order]])
        tree.boxes = _boxes(tree.corners, tree.children)
        return tree

    def closest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """points (P, 3) -> distances (P,), closest points (P, 3), and faces (P,) int64 that these lie on."""
        queries = np.ascontiguousarray(points, dtype=np.float64)
        distances, places, found = _closest(queries, self.corners, self.children, self.boxes)
        return distances, places, self.order[found]

    def normals(self, faces: np.ndarray) -> np.ndarray:
        """faces (P,), as `closest` gives them -> unit normals (P, 3), 0 where a triangle has no area."""
        where = np.empty(len(self.order), np.int64)
        where[self.order] = np.arange(len(self.order))
        corners = self.corners[where[faces]]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300))

    def cutting(self, welded: np.ndarray) -> np.ndarray:
        """(F,) bool: triangles that cut another one with which they share no vertex.

        welded (N,) int64: equal numbers for vertices that count as one. Triangles that only lie in one plane do not
        cut each other.
        """
        corner_ids = np.ascontiguousarray(welded[self.faces[self.order]].astype(np.int64))
        cut = np.empty(len(self.faces), np.bool_)
        cut[self.order] = _cutting(self.corners, corner_ids, self.children, self.boxes)
        return cut


def _split(centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Halves the centres (F, 3) along their longest side until few are left.

    -> order (F,) int64, and children (M, 4) int64: left and right child, or -1, -1 and first and last triangle of a
    leaf (in that order). A parent comes before its children.
    """
    order = np.arange(len(centres))
    nodes: list[list[int]] = [[-1, -1, 0, len(centres)]]
    waiting = [0]
    while waiting:
        node = waiting.pop()
        first, last = nodes[node][2:]
        if last - first <= _LEAF:
            continue
        here = centres[order[first:last]]
        axis = int(np.argmax(np.ptp(here, axis=0)))
        middle = (last - first) // 2
        order[first:last] = order[first:last][np.argpartition(here[:, axis], middle)]
        nodes[node][:2] = [len(nodes), len(nodes) + 1]
        waiting += [len(nodes), len(nodes) + 1]
        nodes += [[-1, -1, first, first + middle], [-1, -1, first + middle, last]]
    return order, np.array(nodes, np.int64)


@njit(cache=True, nogil=True)
def _boxes(corners, children):
    boxes = np.empty((len(children), 6))
    for node in range(len(children) - 1, -1, -1):
        left, right, first, last = children[node]
        if left < 0:
            for k in range(3):
                low, high = np.inf, -np.inf
                for f in range(first, last):
                    for c in range(3):
                        low = min(low, corners[f, c, k])
                        high = max(high, corners[f, c, k])
                boxes[node, k], boxes[node, 3 + k] = low, high
        else:
            for k in range(3):
                boxes[node, k] = min(boxes[left, k], boxes[right, k])
                boxes[node, 3 + k] = max(boxes[left, 3 + k], boxes[right, 3 + k])
    return boxes


@njit(cache=True, nogil=True)
def _box_distance(box, x, y, z):
    """Square of the distance from a point to a box."""
    dx = max(box[0] - x, 0.0, x - box[3])
    dy = max(box[1] - y, 0.0, y - box[4])
    dz = max(box[2] - z, 0.0, z - box[5])
    return dx * dx + dy * dy + dz * dz


@njit(cache=True, nogil=True, parallel=True)
def _closest(points, corners, children, boxes):
    count = len(points)
    distances = np.empty(count)
    places = np.empty((count, 3))
    found = np.zeros(count, np.int64)
    for p in prange(count):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        best = np.inf
        stack = np.empty(_DEPTH, np.int64)
        stack[0], top = 0, 1
        while top > 0:
            top -= 1
            node = stack[top]
            if _box_distance(boxes[node], x, y, z) >= best:
                continue
            left, right = children[node, 0], children[node, 1]
            if left < 0:
                for f in range(children[node, 2], children[node, 3]):
                    qx, qy, qz = _closest_on_triangle(corners[f], x, y, z)
                    square = (qx - x) ** 2 + (qy - y) ** 2 + (qz - z) ** 2
                    if square < best:
                        best = square
                        found[p] = f
                        places[p, 0], places[p, 1], places[p, 2] = qx, qy, qz
            elif _box_distance(boxes[left], x, y, z) < _box_distance(boxes[right], x, y, z):
                stack[top], stack[top + 1] = right, left
                top += 2
            else:
                stack[top], stack[top + 1] = left, right
                top += 2
        distances[p] = np.sqrt(best)
    return distances, places, found


@njit(cache=True, nogil=True)
def _closest_on_triangle(t, x, y, z):
    """By the regions of C. Ericson, Real-Time Collision Detection (2005), section 5.1.5: corners, edges, inside."""
    ax, ay, az = t[0, 0], t[0, 1], t[0, 2]
    abx, aby, abz = t[1, 0] - ax, t[1, 1] - ay, t[1, 2] - az
    acx, acy, acz = t[2, 0] - ax, t[2, 1] - ay, t[2, 2] - az
    px, py, pz = x - ax, y - ay, z - az
    d1 = abx * px + aby * py + abz * pz
    d2 = acx * px + acy * py + acz * pz
    if d1 <= 0.0 and d2 <= 0.0:
        return ax, ay, az
    px, py, pz = x - t[1, 0], y - t[1, 1], z - t[1, 2]
    d3 = abx * px + aby * py + abz * pz
    d4 = acx * px + acy * py + acz * pz
    if d3 >= 0.0 and d4 <= d3:
        return t[1, 0], t[1, 1], t[1, 2]
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        v = d1 / (d1 - d3) if d1 != d3 else 0.0
        return ax + v * abx, ay + v * aby, az + v * abz
    px, py, pz = x - t[2, 0], y - t[2, 1], z - t[2, 2]
    d5 = abx * px + aby * py + abz * pz
    d6 = acx * px + acy * py + acz * pz
    if d6 >= 0.0 and d5 <= d6:
        return t[2, 0], t[2, 1], t[2, 2]
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        w = d2 / (d2 - d6) if d2 != d6 else 0.0
        return ax + w * acx, ay + w * acy, az + w * acz
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        w = (d4 - d3) / ((d4 - d3) + (d5 - d6)) if (d4 - d3) + (d5 - d6) != 0.0 else 0.0
        return (
            t[1, 0] + w * (t[2, 0] - t[1, 0]),
            t[1, 1] + w * (t[2, 1] - t[1, 1]),
            t[1, 2] + w * (t[2, 2] - t[1, 2]),
        )
    total = va + vb + vc
    v, w = vb / total, vc / total
    return ax + abx * v + acx * w, ay + aby * v + acy * w, az + abz * v + acz * w


@njit(cache=True, nogil=True, parallel=True)
def _cutting(corners, ids, children, boxes):
    count = len(corners)
    cut = np.zeros(count, np.bool_)
    for f in prange(count):
        low, high = np.empty(3), np.empty(3)
        for k in range(3):
            low[k] = min(corners[f, 0, k], corners[f, 1, k], corners[f, 2, k])
            high[k] = max(corners[f, 0, k], corners[f, 1, k], corners[f, 2, k])
        stack = np.empty(_DEPTH, np.int64)
        stack[0], top = 0, 1
        while top > 0 and not cut[f]:
            top -= 1
            node = stack[top]
            box = boxes[node]
            if (
                box[0] > high[0]
                or box[3] < low[0]
                or box[1] > high[1]
                or box[4] < low[1]
                or box[2] > high[2]
                or box[5] < low[2]
            ):
                continue
            if children[node, 0] >= 0:
                stack[top], stack[top + 1] = children[node, 0], children[node, 1]
                top += 2
                continue
            for g in range(children[node, 2], children[node, 3]):
                if g != f and not _share_a_corner(ids[f], ids[g]) and _triangles_cut(corners[f], corners[g]):
                    cut[f] = True
                    break
    return cut


@njit(cache=True, nogil=True)
def _share_a_corner(a, b):
    for i in range(3):
        for j in range(3):
            if a[i] == b[j]:
                return True
    return False


@njit(cache=True, nogil=True)
def _triangles_cut(s, t):
    """Whether an edge of one passes through the inside of the other."""
    cut = False
    for k in range(3):
        cut = cut or _segment_cuts(s[k], s[(k + 1) % 3], t) or _segment_cuts(t[k], t[(k + 1) % 3], s)
    return cut


@njit(cache=True, nogil=True)
def _segment_cuts(start, end, t):
    """T. Moeller and B. Trumbore, Fast, Minimum Storage Ray/Triangle Intersection (1997), for the segment's length."""
    dx, dy, dz = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    e1x, e1y, e1z = t[1, 0] - t[0, 0], t[1, 1] - t[0, 1], t[1, 2] - t[0, 2]
    e2x, e2y, e2z = t[2, 0] - t[0, 0], t[2, 1] - t[0, 1], t[2, 2] - t[0, 2]
    hx, hy, hz = dy * e2z - dz * e2y, dz * e2x - dx * e2z, dx * e2y - dy * e2x
    det = e1x * hx + e1y * hy + e1z * hz
    size = np.sqrt(
        (dx * dx + dy * dy + dz * dz) * (e1x * e1x + e1y * e1y + e1z * e1z) * (e2x * e2x + e2y * e2y + e2z * e2z)
    )
    if abs(det) <= 1e-12 * size:
        return False
    sx, sy, sz = start[0] - t[0, 0], start[1] - t[0, 1], start[2] - t[0, 2]
    u = (sx * hx + sy * hy + sz * hz) / det
    if u <= 0.0 or u >= 1.0:
        return False
    qx, qy, qz = sy * e1z - sz * e1y, sz * e1x - sx * e1z, sx * e1y - sy * e1x
    v = (dx * qx + dy * qy + dz * qz) / det
    if v <= 0.0 or u + v >= 1.0:
        return False
    along = (e2x * qx + e2y * qy + e2z * qz) / det
    return 0.0 < along < 1.0
