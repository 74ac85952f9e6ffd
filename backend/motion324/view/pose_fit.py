"""Fits camera pose and focal length to matches between points in space and pixels (perspective-n-point).

Besides it says when a mesh does not look like the frame that shows it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit
from scipy.optimize import least_squares

from motion324.core.view import View

FOCAL_SPREAD = 0.15  # standard deviation of the logarithm of the focal length around its start
MOST_LOOKS = 320  # at the errors, of which eight find out where to go
MATCH_SPREAD = 0.004  # of the image's height: how well a pixel of a match is known


def fit_pose(
    view: View,
    points: np.ndarray,
    pixels: np.ndarray,
    weights: np.ndarray,
    size: tuple[int, int],
    free_focal: bool = True,
) -> View:
    """Moves `view` so that points (P, 3) in normalised space appear at pixels (P, 2) of an image of size (H, W).

    weights (P,) in [0, 1] say how sure each match is; wrong ones are pulled less the farther they are off (Cauchy).
    The focal length is tied weakly to the start's: at a distance it can hardly be told from the distance itself.
    """
    height, width = size
    if float(weights.sum()) < 12:
        return view
    root = np.sqrt(weights) / np.sqrt(weights.sum())
    start_depth = float(view.translation[2])

    def moved(x: np.ndarray) -> View:
        focal, factor = (float(np.exp(x[6])), float(np.exp(x[5] + x[6]))) if free_focal else (1.0, float(np.exp(x[5])))
        # Depth follows the focal length, so that the unknowns are nearly independent.
        shift = view.translation[:2] * factor + x[3:5]
        rotation = _rotation(x[0], x[1], x[2]) @ view.rotation
        return replace(
            view, rotation=rotation, translation=np.array([*shift, start_depth * factor]), focal=view.focal * focal
        )

    principal = np.array([view.centre[0] * width, view.centre[1] * height])
    goal = np.ascontiguousarray(pixels, np.float64)

    def residuals(x: np.ndarray) -> np.ndarray:
        now = moved(x)
        errors: np.ndarray = _robust_errors(
            points, goal, root, now.rotation, now.translation, now.focal * height, principal, MATCH_SPREAD * height
        )
        if free_focal:
            errors[-1] = x[6] / FOCAL_SPREAD * 0.05
        return errors

    size_of_x = 7 if free_focal else 6
    solution = least_squares(residuals, np.zeros(size_of_x), method="lm", x_scale="jac", max_nfev=MOST_LOOKS)
    found = moved(solution.x)
    return found if np.isfinite(solution.cost) and found.translation[2] > 0.1 else view


@njit(cache=True, nogil=True)
def _rotation(x, y, z):
    """(3, 3) of a rotation vector (Rodrigues)."""
    angle = np.sqrt(x * x + y * y + z * z)
    a = np.sin(angle) / angle if angle > 1e-8 else 1.0
    b = (1.0 - np.cos(angle)) / (angle * angle) if angle > 1e-8 else 0.5
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + a * cross + b * (cross @ cross)


@njit(cache=True, nogil=True)
def _robust_errors(points, goal, root, rotation, translation, focal, principal, spread):
    """(2 P + 1,): how far each point appears from its goal, in units of `spread`, times its root of a weight, with
    Cauchy's loss as residuals, so that a prior, for which the last value is left free, stays a plain square."""
    errors = np.zeros(2 * points.shape[0] + 1)
    for p in range(points.shape[0]):
        x = rotation[0, 0] * points[p, 0] + rotation[0, 1] * points[p, 1] + rotation[0, 2] * points[p, 2]
        y = rotation[1, 0] * points[p, 0] + rotation[1, 1] * points[p, 1] + rotation[1, 2] * points[p, 2]
        z = rotation[2, 0] * points[p, 0] + rotation[2, 1] * points[p, 1] + rotation[2, 2] * points[p, 2]
        x, y, z = x + translation[0], y + translation[1], z + translation[2]
        safe = z if abs(z) >= 1e-9 else 1e-9
        u = (focal * x / safe + principal[0] - goal[p, 0]) / spread
        v = (focal * y / safe + principal[1] - goal[p, 1]) / spread
        length = np.sqrt(u * u + v * v)
        scale = root[p] * np.sqrt(np.log1p(length * length)) / max(length, 1e-9)
        errors[2 * p], errors[2 * p + 1] = u * scale, v * scale
    return errors


LOW_OVERLAP = 0.65  # intersection over union; right pairs lie above 0.9, a monkey for a dog at 0.59
# Of 38 clips whose first frame shows the mesh's pose, 36 that were seen rightly had 0.94 or more, one whose mask lacks
# a part 0.87, and one that was seen from a wrong side 0.74; meshes that had another pose and were taken for that of the
# first frame 0.68 to 0.88.
UNSURE_OVERLAP = 0.9


def overlap_warnings(
    overlap: float, mesh_name: str, video_name: str, is_searched: bool = False
) -> tuple[dict[str, str], ...]:
    """A warning {"code", "sentence"} where the silhouettes' overlap is low, or where it leaves the view in doubt; none
    otherwise. is_searched: whether nobody gave the view."""
    if overlap >= UNSURE_OVERLAP or (overlap >= LOW_OVERLAP and not is_searched):
        return ()
    if overlap >= LOW_OVERLAP:
        sentence = (
            f"The view of '{mesh_name}' is unsure: its silhouette and the object in the first frame of '{video_name}' "
            f"overlap by {overlap:.2f}, where right views reach 0.95. Look at the mask and at the overlay: it may be "
            "seen from a wrong side (then give the view, --view AZIMUTH,ELEVATION), have another pose (--pose any), or "
            "the mask may lack a part (--mask PATH)."
        )
        return ({"code": "unsure-view", "sentence": sentence},)
    sentence = (
        f"The mesh '{mesh_name}' does not look like the first frame of '{video_name}': their silhouettes overlap by "
        f"{overlap:.2f} only, where {LOW_OVERLAP:g} is the least that is usual; the mesh should have the pose of that "
        "frame, or --pose any says that it has another one. Check both, or give the view (--view AZIMUTH,ELEVATION)."
    )
    return ({"code": "low-overlap", "sentence": sentence},)
