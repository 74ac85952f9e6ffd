"""Fits camera pose and focal length to matches between points in space and pixels (perspective-n-point).

Besides it says when a mesh does not look like the frame that shows it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from motion324.core.view import View

FOCAL_SPREAD = 0.15  # standard deviation of the logarithm of the focal length around its start
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
    root = np.sqrt(weights)[:, None] / np.sqrt(weights.sum())
    start_depth = float(view.translation[2])

    def moved(x: np.ndarray) -> View:
        rotation = Rotation.from_rotvec(x[:3]).as_matrix() @ view.rotation
        focal = view.focal * float(np.exp(x[6])) if free_focal else view.focal
        # Depth follows the focal length, so that the unknowns are nearly independent.
        depth = start_depth * float(np.exp(x[5] + (x[6] if free_focal else 0.0)))
        shift = view.translation[:2] * depth / start_depth + x[3:5]
        return replace(view, rotation=rotation, translation=np.array([*shift, depth]), focal=focal)

    def residuals(x: np.ndarray) -> np.ndarray:
        seen, _ = moved(x).project(points, height, width)
        error = (seen - pixels) / (MATCH_SPREAD * height) * root
        # Cauchy's loss as residuals, so that the prior on the focal length stays a plain square.
        length = np.linalg.norm(error, axis=1, keepdims=True) / np.maximum(root, 1e-12)
        scale = np.sqrt(np.log1p(length**2)) / np.maximum(length, 1e-9)
        prior = [] if not free_focal else [x[6] / FOCAL_SPREAD * 0.05]
        return np.concatenate([(error * scale).ravel(), prior])

    size_of_x = 7 if free_focal else 6
    solution = least_squares(residuals, np.zeros(size_of_x), x_scale="jac", max_nfev=40)
    found = moved(solution.x)
    return found if np.isfinite(solution.cost) and found.translation[2] > 0.1 else view


LOW_OVERLAP = 0.65  # intersection over union; right pairs lie above 0.9, a monkey for a dog at 0.59


def overlap_warnings(overlap: float, mesh_name: str, video_name: str) -> tuple[dict[str, str], ...]:
    """A warning {"code", "sentence"} where the silhouettes' overlap is low; none otherwise."""
    if overlap >= LOW_OVERLAP:
        return ()
    sentence = (
        f"The mesh '{mesh_name}' does not look like the first frame of '{video_name}': their silhouettes overlap by "
        f"{overlap:.2f} only, where {LOW_OVERLAP:g} is the least that is usual; the mesh should have the pose of "
        "that frame, or --pose any says that it has another one. Check both, or give the view as AZIMUTH,ELEVATION."
    )
    return ({"code": "low-overlap", "sentence": sentence},)
