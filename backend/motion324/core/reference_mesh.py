"""Holds the reference mesh as plain data, which every stage of the pipeline reads, and the hash by which two are
compared.

This is also the one place that converts between a mesh's own space and normalised space, and between Z up and Y up.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Material:
    """base_colour: sRGB and alpha, each in [0, 1]; multiplies the texture, if there is one.
    texture: (H, W, 4) uint8 sRGB, row 0 on top (v = 1), or None.
    """

    name: str = "material"
    base_colour: tuple[float, float, float, float] = (0.8, 0.8, 0.8, 1.0)
    texture: np.ndarray | None = None


@dataclass(frozen=True)
class ReferenceMesh:
    """A triangle mesh in the pose of the reference frame. N vertices, F triangles.

    positions (N, 3) float32: in the source's own coordinates (a mesh file's, or Blender's object space).
    faces (F, 3) int32: indices into positions.
    corner_uv (F, 3, 2) float32 or None: texture coordinates per corner, v up.
    vertex_colour (N, 3) float32 in [0, 1] sRGB or None: multiplies the material's colour.
    face_material (F,) int32: index into materials.
    up: "Y" (glTF's axes: Y up, front along +Z) or "Z" (Blender's: Z up, front along -Y).
    warnings: what of the source could not be taken over, {"code", "sentence"} each; reports tell it.
    """

    positions: np.ndarray
    faces: np.ndarray
    face_material: np.ndarray
    materials: tuple[Material, ...] = (Material(),)
    corner_uv: np.ndarray | None = None
    vertex_colour: np.ndarray | None = None
    up: str = "Y"
    name: str = "mesh"
    metadata: dict[str, str] = field(default_factory=dict)
    warnings: tuple[dict[str, str], ...] = ()


def topology_hash(mesh: ReferenceMesh) -> str:
    """64 hexadecimal digits that change when the number of vertices, a face, or the order of either changes.

    Moving vertices, colours and materials leave it as it is. The same mesh has the same hash on every machine.
    """
    digest = hashlib.sha256(b"motion324 topology 1")
    digest.update(np.array([len(mesh.positions), len(mesh.faces)], dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(mesh.faces, dtype="<i4").data)
    return digest.hexdigest()


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
