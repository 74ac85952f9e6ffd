"""Makes one answer of those of several looks at the same frames, and tells by their spread how far it is off.

Looks that differ in where the picture is turned, mirrored or cut err in different ways: their spread tells where the
answer is a guess (an ensemble's disagreement, as in Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty
Estimation using Deep Ensembles, 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

UNTOLD = 0.6  # pixels of the model's pictures: of motion across the view by so much, that along it is half as large
# Error of the whole default over the spread of its first answer's looks, the median of vertices and frames of held-out
# clips; benchmarks/results.md. What all looks have wrong alike, most along the view, the spread does not tell.
ERROR_OVER_SPREAD = 2.2
LEAST_ERROR = 1e-4  # of the longest side


def agreed(answers: Sequence[np.ndarray], rest: np.ndarray, ahead: np.ndarray, pixel: float) -> np.ndarray:
    """The mean of answers (T, N, 3), each as good as the others, to where a mesh's vertices, at rest (N, 3), are.

    Its motion along ahead (3,), the viewing axis, of which pictures tell least, is made smaller as far as the answers
    disagree on it, to what remains of the mean's square without its variance (Wiener's factor), and where hardly
    anything moves across the view. pixel: the size of one of the model's pictures at the mesh.
    """
    mean = np.asarray(np.mean(answers, axis=0, dtype=np.float32))
    if len(answers) < 2:
        return mean
    ahead = ahead.astype(np.float32)
    along = np.empty(mean.shape[:2], np.float32)
    moved = variance = 0.0  # squares, summed over frames
    for t, frame in enumerate(mean):  # one by one: of large meshes all frames take much memory
        away = frame - rest
        along[t] = away @ ahead
        moved += 3 * float((away**2).mean())
        variance += sum(float((((answer[t] - frame) @ ahead) ** 2).mean()) for answer in answers)
    depth = max(float((along**2).sum()) / along.shape[1], 1e-12)
    variance /= len(answers) * (len(answers) - 1)
    across = max(moved - depth, 0.0)
    share = max(0.0, 1.0 - variance / depth) * across / (across + len(mean) * (UNTOLD * pixel) ** 2)
    for frame, ways in zip(mean, along, strict=True):
        frame += np.float32(share - 1.0) * ways[:, None] * ahead
    return mean


def expected_error(answers: Sequence[np.ndarray]) -> np.ndarray:
    """(T, N) float32: how far the default's positions are expected to lie off, by the spread of answers (T, N, 3); a
    single one tells none."""
    return np.asarray(ERROR_OVER_SPREAD * _spread(answers) + LEAST_ERROR, np.float32)


def disagreement(answers: Sequence[np.ndarray], rest: np.ndarray) -> float:
    """The mean spread of answers (T, N, 3) over the mean motion that they tell, of a mesh at rest (N, 3)."""
    moved = sum(
        float(np.linalg.norm(np.mean(frames, axis=0) - rest, axis=1).mean()) for frames in zip(*answers, strict=True)
    )
    return float(_spread(answers).sum() / answers[0].shape[1]) / max(moved, 1e-9)


def _spread(answers: Sequence[np.ndarray]) -> np.ndarray:
    spread = np.empty(answers[0].shape[:2], np.float32)
    for t, frames in enumerate(zip(*answers, strict=True)):  # one by one: of large meshes all take much memory
        away = np.stack(frames) - np.mean(frames, axis=0)
        spread[t] = np.sqrt((away**2).sum(axis=(0, 2)) / max(len(answers) - 1, 1))
    return spread
