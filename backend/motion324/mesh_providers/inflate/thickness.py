"""How thick the object is at each point of its silhouette."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from motion324.mesh_providers.inflate.silhouette import Silhouette

# The source term c of -laplace(u) = c, u = 0 on the outline; the surface lies at z = +-sqrt(u). With c = 2 a long limb
# becomes round (a strip of width 2 r gets the half-thickness r), and a disc a lens of 0.71 of its radius: bodies are
# flatter than they are long. A ball would need c = 4.
SOURCE = 2.0
STEEPEST = 3.0  # cells within which the level falls off outside, so that it stays finite


class Thickness:
    """level(x, y) is the square of half the thickness, in grid cells; negative outside, zero on the outline."""

    def __init__(self, silhouette: Silhouette) -> None:
        self._level = gaussian_filter(_level(silhouette), 0.7)
        self._slope_y, self._slope_x = np.gradient(self._level)

    def level(self, points: np.ndarray) -> np.ndarray:
        """points (P, 2) in cells, x to the right and y down from the grid's corner -> (P,)."""
        return _sampled(self._level, points)

    def value(self, points: np.ndarray) -> np.ndarray:
        """points (P, 3) in cells -> (P,): level - z^2, whose zero is the surface; positive inside."""
        return self.level(points[:, :2]) - points[:, 2] ** 2

    def gradient(self, points: np.ndarray) -> np.ndarray:
        """points (P, 3) in cells -> (P, 3), of `value`."""
        across, down = (_sampled(slope, points[:, :2]) for slope in (self._slope_x, self._slope_y))
        return np.stack([across, down, -2 * points[:, 2]], axis=1)

    @property
    def deepest(self) -> float:
        """Half of the largest thickness, in cells."""
        return float(np.sqrt(self._level.max()))


def _level(silhouette: Silhouette) -> np.ndarray:
    """(h, w): the solution inside, and outside a slope that continues the one at the nearest point of the outline."""
    inside, distance = silhouette.inside, silhouette.distance
    solution = _poisson(inside)
    # The solution is zero at the centres of the cells outside, half a cell beyond the outline.
    rate = solution[inside] / (distance[inside] + 0.5)
    rates = np.zeros(inside.shape)
    rates[inside] = rate
    nearest = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    rates = rates[nearest[0], nearest[1]]
    return np.where(inside, rates * distance, rates * np.maximum(distance, -STEEPEST))


def _poisson(inside: np.ndarray) -> np.ndarray:
    """(h, w): -laplace(u) = SOURCE on the cells inside, u = 0 on the others (five-point stencil)."""
    count = int(inside.sum())
    number = np.full(inside.shape, -1, np.int64)
    number[inside] = np.arange(count)
    rows: list[np.ndarray] = [np.arange(count)]
    columns: list[np.ndarray] = [np.arange(count)]
    values = [np.full(count, 4.0)]
    for axis in (0, 1):
        for step in (1, -1):
            there = np.roll(number, step, axis=axis)[inside]  # the grid has a margin: nothing wraps around
            known = there >= 0
            rows.append(np.flatnonzero(known))
            columns.append(there[known])
            values.append(np.full(int(known.sum()), -1.0))
    parts = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    matrix = scipy.sparse.csc_matrix(parts, shape=(count, count))
    solution = np.zeros(inside.shape)
    solution[inside] = scipy.sparse.linalg.spsolve(matrix, np.full(count, SOURCE), permc_spec="MMD_AT_PLUS_A")
    return solution


def _sampled(grid: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bilinear, between the cells' centres."""
    return map_coordinates(grid, [points[:, 1] - 0.5, points[:, 0] - 0.5], order=1, mode="nearest")
