"""CD-3D, CD-4D and CD-M of ActionMesh (R. Sabathier, D. Novotny, N. Mitra, T. Monnier, 2026, arXiv:2601.16148).

The paper's appendix defines them by squared distances after a rigid alignment; the authors' published script, which
made the numbers of the ActionBench leaderboard, takes plain distances. Both are given here. The alignment is the
paper's: rigid, without the scale along each axis that the script adds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from motion324.core.progress import Progress
from motion324.evaluation.alignment import Alignment, Source, Target, align
from motion324.evaluation.mesh_sequence import SurfacePlaces
from motion324.evaluation.neighbours import nearest, nearest_both_ways


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
