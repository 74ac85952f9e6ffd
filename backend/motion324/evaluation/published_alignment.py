"""ICP as Motion80's published script does it, with its rotations composed in the wrong order: for its table only."""

from __future__ import annotations

import numpy as np

from motion324.evaluation.alignment import SCALE_LIMITS
from motion324.evaluation.neighbours import nearest_tree
from motion324.evaluation.similarity import Similarity, best_rotation

SAMPLES = 10_000  # of the truth
ROUNDS = 1000
TOLERANCE = 1e-7


def align_as_published(vertices: np.ndarray, truth: np.ndarray, right_order: bool = False) -> Similarity:
    """vertices (N, 3) of the prediction's first frame -> truth (P, 3), points on the true one; both normalised.

    The scale comes from the longer of the bounding boxes' x and y sides, within SCALE_LIMITS, and stays. Each round
    turns and shifts what earlier rounds have moved, so that its rotation belongs to the left of theirs; the script puts
    it to the right, and what it returns is then not the motion that it has measured. right_order=True shows the
    difference.
    """
    sides = [np.ptp(points[:, :2], axis=0).max() for points in (vertices, truth)]
    scale = float(np.clip(sides[1] / sides[0], *SCALE_LIMITS)) if sides[0] > 1e-10 else 1.0
    rotation, shift = np.eye(3), np.zeros(3)
    tree = nearest_tree(truth)
    before = np.inf
    for _ in range(ROUNDS):
        moved = scale * vertices @ rotation.T + shift
        distances, indices = tree.query(moved, workers=-1)
        error = float(distances.mean())
        if abs(before - error) < TOLERANCE:
            break
        before = error
        matched = truth[indices]
        turn = best_rotation(moved - moved.mean(axis=0), matched - matched.mean(axis=0))
        rotation = turn @ rotation if right_order else rotation @ turn
        shift = turn @ shift + matched.mean(axis=0) - turn @ moved.mean(axis=0)
        u, _, vt = np.linalg.svd(rotation)
        rotation = u @ vt
    return Similarity(rotation, shift, scale)
