"""Points on the surface of a mesh, spread by area, as places that can be found again when the mesh has moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.evaluation.mesh_sequence import face_areas


@dataclass(frozen=True)
class SurfacePlaces:
    """S places on a mesh: faces (S, 3) int32, the vertices of each place's triangle; weights (S, 3) float64."""

    faces: np.ndarray
    weights: np.ndarray

    def on(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., N, 3) -> points (..., S, 3) float64."""
        points = self.weights[:, 0, None] * positions[..., self.faces[:, 0], :]
        for corner in (1, 2):
            points += self.weights[:, corner, None] * positions[..., self.faces[:, corner], :]
        return np.asarray(points, np.float64)

    def some(self, count: int) -> SurfacePlaces:
        """`count` of them, evenly over their order, or all where there are no more."""
        if count >= len(self.faces):
            return self
        chosen = np.linspace(0, len(self.faces) - 1, count).astype(np.int64)
        return SurfacePlaces(self.faces[chosen], self.weights[chosen])


def sample_places(positions: np.ndarray, faces: np.ndarray, count: int, seed: tuple[int, ...]) -> SurfacePlaces:
    """`count` places, each drawn by area of positions (N, 3), independently; the same seed gives the same ones.

    They come in the order of the faces: in most meshes neighbours follow each other then, and searches are faster.
    """
    generator = np.random.default_rng(seed)
    cumulative = np.cumsum(face_areas(positions, faces))
    # Independent uniform numbers in their order are sums of exponential ones over the sum of all and one more.
    steps = np.cumsum(generator.standard_exponential(count + 1))
    face = np.searchsorted(cumulative, steps[:-1] * (cumulative[-1] / steps[-1]), side="right")
    face = np.minimum(face, int(np.flatnonzero(np.diff(cumulative, prepend=0.0))[-1]))
    root, across = np.sqrt(generator.random(count)), generator.random(count)
    return SurfacePlaces(faces[face], np.stack([1 - root, root * (1 - across), root * across], axis=1))
