"""Sums the Gauss-Newton normal equations of the embedded deformation: 6 unknowns a node (rotation vector, translation).

A node's rotation is updated from the left, R <- exp(w) R, so that a moved point
p' = sum_k w_k (R_k (p - g_k) + g_k + t_k) changes by D_k = w_k [ -[R_k (p - g_k)]_x , I ] times its six unknowns.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numba import njit
from numba.extending import get_cython_function_address
from scipy.linalg.blas import strsv

_INTEGER = ctypes.POINTER(ctypes.c_int)
# LAPACK's spotrf as scipy has it for compiled code: called so it lets go of Python, for which frames that are fitted
# side by side would wait otherwise.
_spotrf = ctypes.CFUNCTYPE(None, ctypes.c_char_p, _INTEGER, ctypes.c_void_p, _INTEGER, _INTEGER)(
    get_cython_function_address("scipy.linalg.cython_lapack", "spotrf")
)


@njit(cache=True, nogil=True)
def add_points(hessian, gradient, rotations, graph_nodes, points, nodes, weights, metric, pull):
    """Adds a quadratic of every moved point, pull . dp + dp . metric dp / 2, to hessian (6K, 6K) and gradient (6K,).

    points (P, 3) at rest, nodes and weights (P, k), metric (P, 3, 3) symmetric, pull (P, 3). Only the blocks with
    row node <= column node are written; `mirror` copies them over.
    """
    many = nodes.shape[1]
    arm = np.empty((many, 3))
    carried = np.empty((many, 3, 6))  # metric times D_k
    for p in range(points.shape[0]):
        m = metric[p]
        if m[0, 0] + m[1, 1] + m[2, 2] <= 0.0:
            continue
        for k in range(many):
            j = nodes[p, k]
            w = weights[p, k]
            dx = points[p, 0] - graph_nodes[j, 0]
            dy = points[p, 1] - graph_nodes[j, 1]
            dz = points[p, 2] - graph_nodes[j, 2]
            r = rotations[j]
            x = r[0, 0] * dx + r[0, 1] * dy + r[0, 2] * dz
            y = r[1, 0] * dx + r[1, 1] * dy + r[1, 2] * dz
            z = r[2, 0] * dx + r[2, 1] * dy + r[2, 2] * dz
            arm[k, 0], arm[k, 1], arm[k, 2] = x, y, z
            for a in range(3):
                # Columns of -[q]_x: (0, -z, y), (z, 0, -x), (-y, x, 0).
                carried[k, a, 0] = w * (-m[a, 1] * z + m[a, 2] * y)
                carried[k, a, 1] = w * (m[a, 0] * z - m[a, 2] * x)
                carried[k, a, 2] = w * (-m[a, 0] * y + m[a, 1] * x)
                carried[k, a, 3] = w * m[a, 0]
                carried[k, a, 4] = w * m[a, 1]
                carried[k, a, 5] = w * m[a, 2]
            gx, gy, gz = w * pull[p, 0], w * pull[p, 1], w * pull[p, 2]
            gradient[6 * j] += -gy * z + gz * y
            gradient[6 * j + 1] += gx * z - gz * x
            gradient[6 * j + 2] += -gx * y + gy * x
            gradient[6 * j + 3] += gx
            gradient[6 * j + 4] += gy
            gradient[6 * j + 5] += gz
        for k in range(many):
            j = nodes[p, k]
            w = weights[p, k]
            if w == 0.0:
                continue
            x, y, z = arm[k, 0], arm[k, 1], arm[k, 2]
            for other in range(many):
                i = nodes[p, other]
                if i < j or weights[p, other] == 0.0:
                    continue
                for c in range(6):
                    vx, vy, vz = carried[other, 0, c], carried[other, 1, c], carried[other, 2, c]
                    column = 6 * i + c
                    hessian[6 * j, column] += w * (-vy * z + vz * y)
                    hessian[6 * j + 1, column] += w * (vx * z - vz * x)
                    hessian[6 * j + 2, column] += w * (-vx * y + vy * x)
                    hessian[6 * j + 3, column] += w * vx
                    hessian[6 * j + 4, column] += w * vy
                    hessian[6 * j + 5, column] += w * vz


@njit(cache=True, nogil=True)
def add_rigid_edges(hessian, gradient, rotations, translations, graph_nodes, edges, edge_weights):
    """As-rigid-as-possible: for both directions of an edge, where node i would carry node j, against where j is.

    Adds weight / 2 * |R_i (g_j - g_i) + g_i + t_i - g_j - t_j|^2 of every edge, in both directions.
    """
    block = np.zeros((3, 12))
    residual = np.zeros(3)
    at = np.zeros(12, np.int64)
    for e in range(edges.shape[0]):
        weight = edge_weights[e]
        for direction in range(2):
            i, j = (edges[e, 0], edges[e, 1]) if direction == 0 else (edges[e, 1], edges[e, 0])
            d = graph_nodes[j] - graph_nodes[i]
            r = rotations[i]
            x = r[0, 0] * d[0] + r[0, 1] * d[1] + r[0, 2] * d[2]
            y = r[1, 0] * d[0] + r[1, 1] * d[1] + r[1, 2] * d[2]
            z = r[2, 0] * d[0] + r[2, 1] * d[1] + r[2, 2] * d[2]
            residual[0] = x - d[0] + translations[i, 0] - translations[j, 0]
            residual[1] = y - d[1] + translations[i, 1] - translations[j, 1]
            residual[2] = z - d[2] + translations[i, 2] - translations[j, 2]
            block[0, 1], block[0, 2] = z, -y
            block[1, 0], block[1, 2] = -z, x
            block[2, 0], block[2, 1] = y, -x
            for a in range(3):
                block[a, 3 + a] = 1.0
                block[a, 9 + a] = -1.0
            for c in range(6):
                at[c] = 6 * i + c
                at[6 + c] = 6 * j + c
            for a in range(12):
                total = block[0, a] * residual[0] + block[1, a] * residual[1] + block[2, a] * residual[2]
                gradient[at[a]] += weight * total
                for b in range(12):
                    if at[b] // 6 < at[a] // 6:
                        continue
                    value = block[0, a] * block[0, b] + block[1, a] * block[1, b] + block[2, a] * block[2, b]
                    hessian[at[a], at[b]] += weight * value


@njit(cache=True, nogil=True)
def mirror(hessian):
    """Copies the blocks above the diagonal below it."""
    for i in range(hessian.shape[0]):
        for j in range(i + 1, hessian.shape[1]):
            if i // 6 != j // 6:
                hessian[j, i] = hessian[i, j]


def factored(matrix: np.ndarray) -> np.ndarray:
    """matrix (n, n) float32, row by row, positive definite, of which only what lies on the diagonal and above is looked
    at -> L of L L^T = matrix, column by column, in its place; above L's diagonal is what was there.

    Raises numpy.linalg.LinAlgError where the matrix is not positive definite.
    """
    assert matrix.dtype == np.float32 and matrix.flags.c_contiguous
    size, failed = ctypes.c_int(len(matrix)), ctypes.c_int()
    # What is above the diagonal lies below it for LAPACK, which has columns where numpy has rows.
    _spotrf(b"L", ctypes.byref(size), matrix.ctypes.data, ctypes.byref(size), ctypes.byref(failed))
    if failed.value:
        raise np.linalg.LinAlgError(f"the equations' matrix is not positive definite at row {failed.value}")
    return matrix.T


def solved(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x (n,) of L L^T x = right (n,), in single precision. factor (n, n): has L below its diagonal, column by column.

    LAPACK's own way packs the factor as if for many right sides: four times as long for one.
    """
    x: np.ndarray = strsv(factor, strsv(factor, right.astype(np.float32), lower=1), lower=1, trans=1, overwrite_x=1)
    return x


def edge_residuals(rotations, translations, graph_nodes, edges) -> np.ndarray:
    """(E,) lengths of an edge's two residuals together, for robust weights."""
    i, j = edges[:, 0], edges[:, 1]
    d = graph_nodes[j] - graph_nodes[i]
    shift = translations[i] - translations[j]
    forward = np.einsum("eab,eb->ea", rotations[i], d) - d + shift
    backward = np.einsum("eab,eb->ea", rotations[j], d) - d + shift
    return np.sqrt((forward**2).sum(axis=1) + (backward**2).sum(axis=1))


def rotated(rotations: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """exp([vectors]_x) @ rotations: (K, 3, 3) turned from the left by rotation vectors (K, 3) (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    safe = np.maximum(angle, 1e-12)
    k = np.zeros((len(vectors), 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -vectors[:, 2], vectors[:, 1], -vectors[:, 0]
    k[:, 1, 0], k[:, 2, 0], k[:, 2, 1] = vectors[:, 2], -vectors[:, 1], vectors[:, 0]
    k = k / safe
    return (np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)) @ rotations
