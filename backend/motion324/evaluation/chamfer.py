"""Chamfer distance and F-score between sampled surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.evaluation.neighbours import nearest_both_ways


@dataclass(frozen=True)
class SurfaceScores:
    """distance: mean nearest distance truth -> prediction plus the mean the other way, both unsquared.
    f: F-score by threshold; precision is the share of predicted points nearer than the threshold to the truth, recall
        the share of true points nearer than it to the prediction.
    """

    distance: float
    f: dict[float, float]


def surface_scores(
    truth: np.ndarray, predicted: np.ndarray, thresholds: tuple[float, ...], device: str = "cpu"
) -> SurfaceScores:
    """truth (A, 3) and predicted (B, 3) are points on both surfaces; distances in their unit."""
    recalled, precise = nearest_both_ways(truth, predicted, device)
    return SurfaceScores(
        float(recalled.mean() + precise.mean()),
        {threshold: f_score((precise < threshold).mean(), (recalled < threshold).mean()) for threshold in thresholds},
    )


def f_score(precision: float, recall: float) -> float:
    """The harmonic mean of both; 0 where both are 0."""
    return float(2 * precision * recall / (precision + recall)) if precision + recall > 0 else 0.0
