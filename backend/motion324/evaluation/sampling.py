"""Points on the surface of a mesh, spread by area, as places that can be found again when the mesh has moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.evaluation.mesh_sequence import face_areas

_CELLS = 64  # along the longest side: how finely points are put in an order in which neighbours follow each other


@dataclass(frozen=True)
class SurfacePlaces:
    """S places on a mesh: faces (S, 3) int32, the vertices of each place's triangle; weights (S, 3) float64."""

    faces: np.ndarray
    weights: np.ndarray

    def on(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., N, 3) -> points (..., S, 3) float64."""
        corners = positions[..., self.faces, :]
        return np.einsum("sc,...scd->...sd", self.weights, corners)

    def some(self, count: int) -> SurfacePlaces:
        """`count` of them, evenly over their order, or all where there are no more."""
        if count >= len(self.faces):
            return self
        chosen = np.linspace(0, len(self.faces) - 1, count).astype(np.int64)
        return SurfacePlaces(self.faces[chosen], self.weights[chosen])


def sample_places(positions: np.ndarray, faces: np.ndarray, count: int, seed: tuple[int, ...]) -> SurfacePlaces:
    """`count` places, each drawn by area of positions (N, 3), independently; the same seed gives the same ones.

    They come in an order in which neighbours follow each other, since that makes searches among them faster.
    """
    generator = np.random.default_rng(seed)
    cumulative = np.cumsum(face_areas(positions, faces))
    face = np.searchsorted(cumulative, generator.random(count) * cumulative[-1], side="right")
    face = np.minimum(face, int(np.flatnonzero(np.diff(cumulative, prepend=0.0))[-1]))
    root, across = np.sqrt(generator.random(count)), generator.random(count)
    weights = np.stack([1 - root, root * (1 - across), root * across], axis=1)
    places = SurfacePlaces(faces[face], weights)
    order = _spatial_order(places.on(positions))
    return SurfacePlaces(places.faces[order], weights[order])


def _spatial_order(points: np.ndarray) -> np.ndarray:
    """(S,) indices that walk through the points cell by cell."""
    low = points.min(axis=0)
    cell = ((points - low) / max(float(np.ptp(points, axis=0).max()), 1e-30) * (_CELLS - 1)).astype(np.int64)
    return np.argsort((cell[:, 0] * _CELLS + cell[:, 1]) * _CELLS + cell[:, 2], kind="stable")
