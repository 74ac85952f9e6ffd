"""Between an object's own axes and those in which a job sees it. No bpy: worker threads use it too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Orientation:
    """Turns object space as the world shows it: the object's rotation, scale and shear, but not its place.

    A job sees the mesh upright and in its true proportions, also where the object is turned by 90 degrees or scaled
    along one axis; results are turned back. matrix (3, 3) float64.
    """

    matrix: np.ndarray

    @property
    def mirrors(self) -> bool:
        return bool(np.linalg.det(self.matrix) < 0)

    def to_world(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., 3), object space -> the same, upright."""
        return self._turned(positions, self.matrix)

    def to_object(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., 3), upright -> the same, object space."""
        return self._turned(positions, np.linalg.inv(self.matrix))

    def _turned(self, positions: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        if np.array_equal(self.matrix, np.eye(3)):
            return positions
        return (positions.astype(np.float64) @ matrix.T).astype(np.float32)
