"""Converts between a mesh's own space and normalised space, and between Z up and Y up; nothing else does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh


def turned_y_up(points: np.ndarray, up: str) -> np.ndarray:
    """points (..., 3), positions or directions, whose up axis is `up`, "Y" or "Z" -> the same with Y up."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1) if up == "Z" else points


def turned_z_up(points: np.ndarray) -> np.ndarray:
    """points (..., 3) with Y up -> the same with Z up, as Blender has it."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


@dataclass(frozen=True)
class Normalisation:
    """Source space (a mesh file's, or Blender's object space) <-> normalised space.

    Normalised space is Y up, with the mesh's bounding box centred at the origin and its longest side 1.
    centre (3,) float64: of the bounding box, in source space. scale: normalised length of one source unit.
    up: the source's up axis, "Y" or "Z"; (x, y, z) with Z up is (x, z, -y) with Y up.
    """

    centre: np.ndarray
    scale: float
    up: str = "Y"

    @classmethod
    def of(cls, mesh: ReferenceMesh) -> Normalisation:
        """Of the vertices that faces use, so that a stray vertex does not shrink the model.

        The mesh has passed motion324.mesh.checks.check_mesh: its extent is not zero.
        """
        used = mesh.positions[np.unique(mesh.faces)].astype(np.float64)
        low, high = used.min(axis=0), used.max(axis=0)
        return cls(centre=(low + high) / 2, scale=1.0 / float((high - low).max()), up=mesh.up)

    def to_normalised(self, points: np.ndarray) -> np.ndarray:
        """points (..., 3) in source space -> (..., 3) float32."""
        moved = (points.astype(np.float64) - self.centre) * self.scale
        return turned_y_up(moved, self.up).astype(np.float32)

    def to_source(self, points: np.ndarray) -> np.ndarray:
        """points (..., 3) in normalised space -> (..., 3) float32; the inverse of to_normalised."""
        moved = points.astype(np.float64)
        if self.up == "Z":
            moved = turned_z_up(moved)
        return (moved / self.scale + self.centre).astype(np.float32)


def normalised_mesh(mesh: ReferenceMesh) -> tuple[ReferenceMesh, Normalisation]:
    """The same mesh in normalised space, vertex for vertex, and the way back."""
    normalisation = Normalisation.of(mesh)
    return dataclasses.replace(mesh, positions=normalisation.to_normalised(mesh.positions), up="Y"), normalisation
