"""Converts between the axes of an object, of a job and of the normalised space. No bpy: worker threads use it too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# (x, y, z) of a space where Y is up -> (x, -z, y) of Blender's world, where Z is.
Z_UP_FROM_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def z_up(vectors: np.ndarray, up: str = "Y") -> np.ndarray:
    """vectors (..., 3) where `up` ("Y" or "Z") is up -> (..., 3) where Z is, as in Blender's world."""
    return vectors @ Z_UP_FROM_Y_UP.T if up == "Y" else vectors


@dataclass(frozen=True)
class Orientation:
    """Turns object space as the world shows it: the object's rotation, scale and shear, but not its place.

    A job sees the mesh upright and in its true proportions, also where the object is turned by 90 degrees or scaled
    along one axis; results are turned back. matrix (3, 3) float64. offset (3,): where the object's origin lies in the
    job's space; not zero only where several objects are animated as one.
    """

    matrix: np.ndarray
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def mirrors(self) -> bool:
        return bool(np.linalg.det(self.matrix) < 0)

    def to_world(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., 3), object space -> (..., 3) float32, upright."""
        if self._changes_nothing:
            return positions
        return (positions.astype(np.float64) @ self.matrix.T + self.offset).astype(np.float32)

    def to_object(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., 3), upright -> (..., 3) float32, object space."""
        if self._changes_nothing:
            return positions
        return ((positions.astype(np.float64) - self.offset) @ np.linalg.inv(self.matrix).T).astype(np.float32)

    @property
    def _changes_nothing(self) -> bool:
        return np.array_equal(self.matrix, np.eye(3)) and not any(self.offset)


@dataclass(frozen=True)
class Share:
    """The vertices first..first + count of a job's mesh, which are one object's, in its order."""

    first: int
    count: int
    orientation: Orientation

    def joint(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., count, 3) of the object, in its own space -> the same in the job's space."""
        return self.orientation.to_world(positions)

    def of(self, doubt: np.ndarray) -> np.ndarray:
        """doubt (..., N), or what else is known of each vertex of the job's whole mesh -> (..., count)."""
        return doubt[..., self.first : self.first + self.count]

    def own(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., N, 3) of the job's whole mesh -> (..., count, 3) of the object, in its own space."""
        return self.orientation.to_object(positions[..., self.first : self.first + self.count, :])
