"""Distances from sampled points to the other side's surface itself: free of the floor that samples set."""

from __future__ import annotations

import numpy as np

from motion324.evaluation.sampling import SurfacePlaces
from motion324.evaluation.triangle_tree import TriangleTree


def surface_distances(
    truth: np.ndarray,
    true_tree: TriangleTree,
    true_places: SurfacePlaces,
    predicted: np.ndarray,
    predicted_tree: TriangleTree,
    predicted_places: SurfacePlaces,
) -> tuple[float, float]:
    """Of one frame: mean distance of true points from the predicted surface, and of predicted ones from the true one.

    truth (N, 3) and predicted (M, 3) are vertices, aligned; the trees are of their faces, the places lie on them.
    """
    there = predicted_tree.moved(predicted).closest(true_places.on(truth))[0]
    back = true_tree.moved(truth).closest(predicted_places.on(predicted))[0]
    return float(there.mean()), float(back.mean())
