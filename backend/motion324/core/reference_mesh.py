"""Holds the reference mesh as plain data, which every stage of the pipeline reads, and the hash by which two are
compared.
"""

from __future__ import annotations

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
