"""Scores two surfaces that need not share vertices: Chamfer distance, F-score, distance to the surface, regularity; and
ActionMesh's CD-3D, CD-4D and CD-M.

The latter are of R. Sabathier, D. Novotny, N. Mitra, T. Monnier, 2026, arXiv:2601.16148. The paper's appendix defines
them by squared distances after a rigid alignment; the authors' published script, which made the numbers of the
ActionBench leaderboard, takes plain distances. Both are given here. The alignment is the paper's: rigid, without the
scale along each axis that the script adds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from motion324.core.progress import Progress
from motion324.evaluation.alignment import Alignment, Source, Target, align
from motion324.evaluation.mesh_sequence import SurfacePlaces, face_areas
from motion324.evaluation.neighbours import nearest, nearest_both_ways
from motion324.evaluation.triangle_tree import TriangleTree


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


WELD = 1e-6  # of the longest side 2: vertices nearer than this in the first frame count as one


def accelerations(positions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """positions (T, N, 3), weights (N,) -> (T,) mean length of p[t-1] - 2 p[t] + p[t+1].

    In the positions' unit per frame squared; NaN for the first and the last frame, which have none.
    """
    found = np.full(len(positions), np.nan)
    if len(positions) >= 3:
        second = positions[:-2] - 2 * positions[1:-1] + positions[2:]
        found[1:-1] = np.linalg.norm(second, axis=2) @ (weights / weights.sum())
    return found


def vertex_areas(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """positions (N, 3) -> (N,) a third of the area of each vertex's triangles: its share of the surface."""
    areas = np.repeat(face_areas(positions, faces) / 3, 3)
    return np.bincount(faces.reshape(-1), areas, len(positions))


def stretches(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """positions (T, N, 3) -> (T,) change of the edges' lengths since the first frame, over their first length.

    The sum of all edges' changes, longer and shorter alike, over the sum of their lengths: 0 for a rigid motion.
    """
    edges = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    lengths = np.stack([np.linalg.norm(frame[edges[:, 0]] - frame[edges[:, 1]], axis=1) for frame in positions])
    return np.asarray(np.abs(lengths - lengths[0]).sum(axis=1) / lengths[0].sum())


def welded(positions: np.ndarray) -> np.ndarray:
    """positions (N, 3) -> (N,) numbers, equal for vertices at the same place: seams of UVs and materials."""
    cells = np.round(positions / WELD).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)


def self_intersection_rate(tree: TriangleTree, positions: np.ndarray, weld: np.ndarray) -> float:
    """Share of the triangles of one frame (N, 3) that cut another with which they share no vertex."""
    return float(tree.moved(positions).cutting(weld).mean())


@dataclass(frozen=True)
class Distances:
    """squared, plain (T,): of each frame, the sum of both directions' means."""

    squared: np.ndarray
    plain: np.ndarray


def aligned_frame_by_frame(
    target_of: Callable[[int], Target],
    predicted: np.ndarray,
    faces: np.ndarray,
    first: Alignment,
    seed: int,
    progress: Progress,
) -> np.ndarray:
    """predicted (T, M, 3), each frame laid rigidly onto the truth's: ICP3D of the paper, for CD-3D.

    target_of: gives the truth's surface by frame. A frame starts from where the first frame's alignment and the frame
    before it ended.
    """
    out = np.empty_like(predicted)
    last = first.transform
    for index, frame in enumerate(predicted):
        progress("align", index, len(predicted))
        last = align(
            Source(frame, faces, (seed, 1)), target_of(index), (first.transform, last), np.empty((0, 3, 3)), None
        ).transform
        out[index] = last.apply(frame)
    return out


def chamfer_over_time(
    truth: np.ndarray,
    true_places: SurfacePlaces,
    predicted: np.ndarray,
    places: SurfacePlaces,
    device: str,
    progress: Progress,
) -> Distances:
    """CD-3D or CD-4D by frame, whichever way predicted (T, M, 3) has been aligned to truth (T, N, 3).

    device: of the search for neighbours, here and below.
    """
    squared, plain = [], []
    for index, (true_frame, frame) in enumerate(zip(truth, predicted, strict=True)):
        progress("compare", index, len(truth))
        there, back = nearest_both_ways(true_places.on(true_frame), places.on(frame), device)
        squared.append(np.mean(there**2) + np.mean(back**2))
        plain.append(there.mean() + back.mean())
    return Distances(np.array(squared), np.array(plain))


def motion_chamfer(
    truth: np.ndarray, true_places: SurfacePlaces, predicted: np.ndarray, places: SurfacePlaces, device: str
) -> Distances:
    """CD-M by frame: neighbours are those of the first frame, both ways, and stay so."""
    first_true, first = true_places.on(truth[0]), places.on(predicted[0])
    to_predicted = nearest(first_true, first, device)[1]
    to_truth = nearest(first, first_true, device)[1]
    squared, plain = [], []
    for true_frame, frame in zip(truth, predicted, strict=True):
        true_points, points = true_places.on(true_frame), places.on(frame)
        there = np.linalg.norm(true_points - points[to_predicted], axis=1)
        back = np.linalg.norm(true_points[to_truth] - points, axis=1)
        squared.append(np.mean(there**2) + np.mean(back**2))
        plain.append(there.mean() + back.mean())
    return Distances(np.array(squared), np.array(plain))
