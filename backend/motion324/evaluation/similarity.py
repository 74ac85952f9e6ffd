"""Holds a rotation, a scale and a shift as one transform."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + shift. rotation (3, 3) proper; shift (3,)."""

    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    shift: np.ndarray = field(default_factory=lambda: np.zeros(3))
    scale: float = 1.0

    def apply(self, points: np.ndarray) -> np.ndarray:
        """points (..., 3) -> (..., 3)."""
        return np.asarray(self.scale * (points @ self.rotation.T) + self.shift)

    def after(self, earlier: Similarity) -> Similarity:
        """First `earlier`, then this one: rotations multiply from the left."""
        return Similarity(
            self.rotation @ earlier.rotation,
            self.scale * self.rotation @ earlier.shift + self.shift,
            self.scale * earlier.scale,
        )

    @property
    def angle(self) -> float:
        """Degrees of the rotation."""
        return float(np.degrees(Rotation.from_matrix(self.rotation).magnitude()))


def best_rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that turns centred source (P, 3) onto centred target (P, 3) with the least squares.

    W. Kabsch, A solution for the best rotation to relate two sets of vectors (1976).
    """
    u, _, vt = np.linalg.svd(source.T @ target)
    mirror = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    return np.asarray(vt.T @ mirror @ u.T)


def about_x(degrees: float) -> np.ndarray:
    """The rotation (3, 3) about X; by -90 degrees it turns Z to Y."""
    return np.asarray(Rotation.from_euler("x", degrees, degrees=True).as_matrix())


def cube_rotations() -> np.ndarray:
    """(24, 3, 3): the turns that map a cube onto itself; the first is the identity."""
    turns = []
    for axes in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)):
        for signs in np.ndindex(2, 2, 2):
            matrix = np.zeros((3, 3))
            matrix[range(3), axes] = 1.0 - 2.0 * np.array(signs)
            if np.linalg.det(matrix) > 0:
                turns.append(matrix)
    return np.array(turns)
