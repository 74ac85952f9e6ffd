"""Errors of a prediction whose vertices are the truth's, one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.evaluation.mesh_sequence import MeshSequence


@dataclass(frozen=True)
class VertexErrors:
    """Each (T,), a mean over vertices.

    vertex: distance of corresponding vertices. trajectory: distance between the ways that they went since the first
    frame, which a wrong shape or place in that frame leaves as it is. still: both of these for the true mesh of the
    first frame, held still.
    """

    vertex: np.ndarray
    trajectory: np.ndarray
    still: np.ndarray


def vertex_errors(truth: np.ndarray, predicted: np.ndarray) -> VertexErrors:
    """truth and predicted (T, N, 3), aligned."""
    way, true_way = predicted - predicted[:1], truth - truth[:1]
    return VertexErrors(_mean_lengths(predicted - truth), _mean_lengths(way - true_way), _mean_lengths(true_way))


def _mean_lengths(vectors: np.ndarray) -> np.ndarray:
    """(T, N, 3) -> (T,)."""
    return np.asarray(np.linalg.norm(vectors, axis=2).mean(axis=1))


def what_differs(truth: MeshSequence, predicted: MeshSequence) -> str:
    """Why vertices do not correspond, as the end of a sentence; "" where they do."""
    ours, theirs = predicted.positions.shape[1], truth.positions.shape[1]
    if ours != theirs:
        return f"has {ours} vertices where the truth has {theirs}"
    if len(predicted.faces) != len(truth.faces):
        return f"has {len(predicted.faces)} triangles where the truth has {len(truth.faces)}"
    different = int((_sorted(predicted.faces) != _sorted(truth.faces)).any(axis=1).sum())
    return f"has {different} triangles between other vertices than the truth" if different else ""


def _sorted(faces: np.ndarray) -> np.ndarray:
    """The same triangles whatever their order, their first corner and their side."""
    corners = np.sort(faces, axis=1)
    return np.asarray(corners[np.lexsort(corners.T[::-1])])
