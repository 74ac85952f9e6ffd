"""What the image asks of a projected point, as a quadratic of its position in space."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_pixel_pulls(
    metric, pull, points, which, targets, weights, rotation, translation, fx, fy, cx, cy, tolerance, unit
):  # fmt: skip
    """Adds weight * rho(|projection - target| * unit) of every target to its point's metric (P, 3, 3) and pull (P, 3).

    points (P, 3) in normalised space; targets (B, 2) in pixels for the points `which` (B,), with weights (B,).
    rho is Geman-McClure with scale `tolerance` (normalised units), as weights of iterated least squares; unit is the
    size of a pixel at the object's distance in normalised units, so that pixels and space are compared alike.
    """
    jacobian = np.empty((2, 3))
    for b in range(which.shape[0]):
        if weights[b] <= 0.0:
            continue
        p = which[b]
        x = rotation[0, 0] * points[p, 0] + rotation[0, 1] * points[p, 1] + rotation[0, 2] * points[p, 2]
        y = rotation[1, 0] * points[p, 0] + rotation[1, 1] * points[p, 1] + rotation[1, 2] * points[p, 2]
        z = rotation[2, 0] * points[p, 0] + rotation[2, 1] * points[p, 1] + rotation[2, 2] * points[p, 2]
        x, y, z = x + translation[0], y + translation[1], z + translation[2]
        if z < 1e-2:
            continue
        ru = (fx * x / z + cx - targets[b, 0]) * unit
        rv = (fy * y / z + cy - targets[b, 1]) * unit
        for a in range(3):
            jacobian[0, a] = unit * fx / z * (rotation[0, a] - x / z * rotation[2, a])
            jacobian[1, a] = unit * fy / z * (rotation[1, a] - y / z * rotation[2, a])
        robust = tolerance * tolerance / (tolerance * tolerance + ru * ru + rv * rv)
        weight = weights[b] * robust * robust
        for a in range(3):
            pull[p, a] += weight * (jacobian[0, a] * ru + jacobian[1, a] * rv)
            for c in range(3):
                metric[p, a, c] += weight * (jacobian[0, a] * jacobian[0, c] + jacobian[1, a] * jacobian[1, c])
