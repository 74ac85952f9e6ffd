"""A soft mask -> a clean outline on a grid of its own, with distances to it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from motion324.mesh_providers.interface import ObjectPicture

GRID = 320  # cells along the object's longer side
MARGIN = 8  # cells around the object
SMALLEST_PART = 0.01  # of the largest part's area: less is dropped
SMALLEST_HOLE = 0.002  # of the largest part's area: less is filled
SMOOTHING = 1.0  # cells, of the outline, against the staircase of pixels


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
