"""Turns a soft mask into a clean outline on a grid of its own, and that into the object's thickness; makes the object's
own picture the texture of both its sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from motion324.mesh_providers.interface import ObjectPicture

GRID = 320  # cells along the object's longer side
MARGIN = 8  # cells around the object
SMALLEST_PART = 0.01  # of the largest part's area: less is dropped
SMALLEST_HOLE = 0.002  # of the largest part's area: less is filled
SMOOTHING = 1.0  # cells, of the outline, against the staircase of pixels
PICTURE_MARGIN = 8  # pixels around the object
LARGEST_SIDE = 1024
_SURE = 0.9  # of the mask: pixels that show nothing of the background


@dataclass(frozen=True)
class Silhouette:
    """inside (h, w) bool: the object on the grid. distance (h, w) float64: to the outline in cells, positive inside.

    origin (x, y): the picture's pixel coordinates of the grid's corner. pixels_per_cell: how large a cell is there.
    """

    inside: np.ndarray
    distance: np.ndarray
    origin: tuple[float, float]
    pixels_per_cell: float


def silhouette_of(picture: ObjectPicture) -> Silhouette:
    """Raises Motion324Error("no-foreground")."""
    mask, solid = picture.mask, _without_specks(picture.solid())
    ys, xs = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    height, width = int(ys[-1] - ys[0]) + 1, int(xs[-1] - xs[0]) + 1
    per_cell = max(height, width) / GRID
    border = MARGIN * per_cell
    origin = (xs[0] - border, ys[0] - border)
    cells_high, cells_wide = (int(np.ceil(side / per_cell)) + 2 * MARGIN for side in (height, width))
    # The cell (i, j)'s centre lies at origin + (j + 0.5, i + 0.5) * per_cell; OpenCV counts from pixels' centres.
    soft = np.where(cv2.dilate(solid.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0, mask, 0).astype(np.float32)
    soft = np.maximum(soft, _filled_holes(solid))
    if per_cell > 1:
        soft = cv2.GaussianBlur(soft, (0, 0), per_cell / 2)
    place = np.array([[per_cell, 0, origin[0] + 0.5 * per_cell - 0.5], [0, per_cell, origin[1] + 0.5 * per_cell - 0.5]])
    grid = cv2.warpAffine(soft, place, (cells_wide, cells_high), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    grid = cv2.GaussianBlur(grid, (0, 0), max(SMOOTHING, 0.5 / per_cell))
    inside = grid > 0.5
    return Silhouette(inside, signed_distance(inside), origin, per_cell)


def signed_distance(inside: np.ndarray) -> np.ndarray:
    """(h, w) float64: cells to the outline, which runs half-way between cells; positive inside."""
    to_outside = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    to_inside = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where(inside, to_outside - 0.5, 0.5 - to_inside).astype(np.float64)


def _without_specks(solid: np.ndarray) -> np.ndarray:
    """Without the parts that are tiny next to the largest one."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8), connectivity=8)
    areas = statistics[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept = areas >= max(SMALLEST_PART * areas.max(), 1)
    kept[0] = False
    return kept[labels] if count > 1 else solid


def _filled_holes(solid: np.ndarray) -> np.ndarray:
    """(H, W) float32: 1 in the holes that are tiny next to the object."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats((~solid).astype(np.uint8), connectivity=4)
    tiny = statistics[:, cv2.CC_STAT_AREA] < SMALLEST_HOLE * solid.sum()
    tiny[0] = False
    return tiny[labels].astype(np.float32) if count > 1 else np.zeros(solid.shape, np.float32)


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


def object_texture(frame: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """frame (H, W, 3) uint8, mask (H, W) in [0, 1] -> (h, w, 4) uint8 and the box (x, y, width, height) that it shows.

    The background, and the object's outermost pixels that it shines into, take the colour of the nearest pixel that
    shows the object alone, so that nothing of the background gets onto the mesh.
    """
    solid = mask > 0.5
    ys, xs = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    top, left = max(int(ys[0]) - PICTURE_MARGIN, 0), max(int(xs[0]) - PICTURE_MARGIN, 0)
    bottom, right = (
        min(int(ys[-1]) + 1 + PICTURE_MARGIN, mask.shape[0]),
        min(int(xs[-1]) + 1 + PICTURE_MARGIN, mask.shape[1]),
    )
    colours, coverage = frame[top:bottom, left:right], mask[top:bottom, left:right]
    rim = max(2, round(max(coverage.shape) / 120))
    sure = cv2.erode((coverage > _SURE).astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0
    # Parts too thin to have an inside keep their own colours.
    reached = cv2.dilate(sure.astype(np.uint8), np.ones((4 * rim + 1, 4 * rim + 1), np.uint8)) > 0
    sure |= (coverage > 0.5) & ~reached
    if not sure.any():
        sure = coverage > 0.5
    nearest = distance_transform_edt(~sure, return_distances=False, return_indices=True)
    filled = colours[nearest[0], nearest[1]]
    smooth = cv2.GaussianBlur(filled, (0, 0), 1.5 * rim)
    filled = np.where(sure[..., None], filled, smooth)
    scale = LARGEST_SIDE / max(filled.shape[:2])
    if scale < 1:
        size = (max(1, round(filled.shape[1] * scale)), max(1, round(filled.shape[0] * scale)))
        filled = cv2.resize(filled, size, interpolation=cv2.INTER_AREA)
    opaque = np.full((*filled.shape[:2], 1), 255, np.uint8)
    return np.concatenate([filled, opaque], axis=2), (left, top, right - left, bottom - top)
