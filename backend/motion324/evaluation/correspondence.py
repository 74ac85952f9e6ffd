"""Measures errors where points correspond: of vertices that are the truth's one by one, and of tracked points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from motion324.evaluation.alignment import FINE_POINTS, Target
from motion324.evaluation.mesh_sequence import MeshSequence, SurfacePlaces, bad_sequence, normalised_by_first_frame
from motion324.evaluation.release import load_array


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


@dataclass(frozen=True)
class TrackedPoints:
    """T frames of N points of a surface: positions (T, N, 3) float32, unit normals (T, N, 3) float32."""

    positions: np.ndarray
    normals: np.ndarray
    source: Path

    def normalised(self) -> np.ndarray:
        """(T, N, 3) float64: the first frame's bounding box is centred, and its longest side is 2."""
        return normalised_by_first_frame(self.positions)

    def places(self, count: int) -> SurfacePlaces:
        """`count` of the points, evenly over their order, or all where there are no more."""
        index = np.arange(self.positions.shape[1], dtype=np.int32)
        corners = np.repeat(index[:, None], 3, axis=1)
        return SurfacePlaces(corners, np.tile([1.0, 0.0, 0.0], (len(index), 1))).some(count)


def read_tracked_points(path: Path) -> TrackedPoints:
    """A .npy file of (T, N, 6): each point's position and normal.

    Raises Motion324Error: sequence-missing, sequence-unreadable, sequence-malformed, sequence-empty,
    sequence-not-finite.
    """
    if not path.is_file():
        raise bad_sequence("sequence-missing", f"'{path}' does not exist.")
    array = load_array(path)
    if array.ndim != 3 or array.shape[2] != 6:
        raise bad_sequence("sequence-malformed", f"'{path}' has the shape {array.shape}, where (T, N, 6) is needed.")
    if not array.size:
        raise bad_sequence("sequence-empty", f"'{path}' is empty.")
    finite = np.isfinite(array).all(axis=(1, 2))
    if not finite.all():
        raise bad_sequence(
            "sequence-not-finite",
            f"'{path}' has {int((~finite).sum())} frames with numbers that are not finite "
            f"(the first is frame {int(np.flatnonzero(~finite)[0])}).",
        )
    if not np.ptp(array[0, :, :3], axis=0).max() > 0:
        raise bad_sequence("sequence-zero-area", f"All points of the first frame of '{path}' lie at one place.")
    return TrackedPoints(array[..., :3].astype(np.float32), array[..., 3:].astype(np.float32), path)


class PointSurface:
    """Points as a surface: the closest place on it is the closest point."""

    def __init__(self, positions: np.ndarray, normals: np.ndarray) -> None:
        """positions and normals (N, 3)."""
        self._positions, self._normals = positions, normals
        self._tree = cKDTree(positions)

    def closest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """points (P, 3) -> distances (P,), closest points (P, 3), and their numbers (P,)."""
        distances, found = self._tree.query(points)
        return distances, self._positions[found], found

    def normals(self, found: np.ndarray) -> np.ndarray:
        """found (P,), as `closest` gives them -> (P, 3)."""
        return np.asarray(self._normals[found], np.float64)


def point_target(positions: np.ndarray, normals: np.ndarray) -> Target:
    """One frame's points (N, 3) with their normals, to be aligned to."""
    chosen = np.linspace(0, len(positions) - 1, min(FINE_POINTS, len(positions))).astype(np.int64)
    return Target(PointSurface(positions, normals), positions[chosen])
