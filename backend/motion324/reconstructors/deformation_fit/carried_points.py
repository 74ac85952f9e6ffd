"""Carries points of the surface from one picture to another along the optical flow, and says how sure that is.

One compiled function does it all: of some dozen numpy calls on a few thousand points each, threads that fit frames side
by side would mostly wait for each other.
"""

from __future__ import annotations

import numpy as np
from numba import njit

VISIBLE_WITHIN = 0.02  # a point this close behind the nearest surface (normalised) counts as seen
MORE_PER_PIXEL = 0.1  # of a point's way: so much more may flow miss


@njit(cache=True, nogil=True)
def carry_points(pixels, own_depth, area, depth, inside, forward, back, wanted, trust):
    """pixels (P, 2) float64 of points at depths own_depth (P,), which count as area (P,) says, in a picture whose
    surface lies at depth (h, w) and shows the object where inside (h, w) bool -> where they appear in the other picture
    (P, 2), and how much each counts there (P,), 0 where nothing is known.

    forward, back (h, w, 2) float32: flow to the other picture and back, in pixels; back may be (0, 0, 2), where flow is
    believed as it is. wanted (h, w) bool: where the other picture shows the object. trust: pixels that flow may miss on
    its way there and back.
    """
    count = pixels.shape[0]
    height, width = depth.shape
    moved, weights = np.empty((count, 2)), np.zeros(count)
    for p in range(count):
        u, v = pixels[p, 0], pixels[p, 1]
        du, dv = _between_pixels(forward, u, v)
        moved[p, 0], moved[p, 1] = u + du, v + dv
        if not (0.0 <= u < width and 0.0 <= v < height):
            continue
        x, y = int(u), int(v)
        if not inside[y, x] or own_depth[p] >= depth[y, x] + VISIBLE_WITHIN:
            continue
        tu, tv = moved[p, 0], moved[p, 1]
        if not (0.0 <= tu < width and 0.0 <= tv < height) or not wanted[int(tv), int(tu)]:
            continue
        if back.shape[0] == 0:
            weights[p] = area[p]
            continue
        fx, fy = forward[y, x, 0], forward[y, x, 1]
        bx, by = _between_pixels(back, x + 0.5 + fx, y + 0.5 + fy)
        missed = (fx + bx) ** 2 + (fy + by) ** 2
        allowed = trust + MORE_PER_PIXEL * np.sqrt(du * du + dv * dv)
        weights[p] = area[p] / (1.0 + missed / (allowed * allowed))
    return moved, weights


@njit(cache=True, nogil=True)
def _between_pixels(field, u, v):
    """The vector of field (h, w, 2) at a place whose (0.5, 0.5) is the middle of the first pixel; bilinear, edges
    repeated."""
    height, width = field.shape[0], field.shape[1]
    x = min(max(u - 0.5, 0.0), width - 1.0)
    y = min(max(v - 0.5, 0.0), height - 1.0)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    across, down = x - left, y - top
    a, b = (1.0 - across) * (1.0 - down), across * (1.0 - down)
    c, d = (1.0 - across) * down, across * down
    first = (
        a * field[top, left, 0] + b * field[top, right, 0] + c * field[bottom, left, 0] + d * field[bottom, right, 0]
    )
    second = (
        a * field[top, left, 1] + b * field[top, right, 1] + c * field[bottom, left, 1] + d * field[bottom, right, 1]
    )
    return first, second
