"""Computes the colour of a mesh's surface: material times texture times vertex colour, all in sRGB.

What the numbers of a glTF file's vertex colours mean is told here as well: linear light, as the standard says, or sRGB.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.srgb import linear_to_srgb, srgb_to_linear

LINEAR, SRGB = "linear", "sRGB"
# In ReferenceMesh.metadata: which of the two was taken, why, and which it may be as well, where that is not sure.
MEANING, REASON, OTHER = "vertex colours", "vertex colours because", "vertex colours or"

# By what `asset.generator` begins with. These convert a mesh's colours to linear light for certain:
_WRITES_LINEAR = ("Motion324 for Blender ", "Khronos glTF Blender I/O")
# These write the values that they have, which are sRGB but for meshes that came from a glTF file.
_WRITES_AS_IT_IS = ("https://github.com/mikedh/trimesh",)


def colours_at(mesh: ReferenceMesh, faces: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
    """The surface's colour at S points of the mesh.

    faces (S,) int: which triangle. barycentric (S, 3): weights of its corners, sum 1. -> (S, 3) float32 sRGB in [0, 1].
    """
    weights = np.asarray(barycentric, dtype=np.float32)
    base = np.array([material.base_colour[:3] for material in mesh.materials], dtype=np.float32)
    material_of = mesh.face_material[faces]
    colours = base[material_of]
    if mesh.corner_uv is not None:
        for index, material in enumerate(mesh.materials):
            if material.texture is None:
                continue
            here = np.flatnonzero(material_of == index)
            uv = np.einsum("sc,scd->sd", weights[here], mesh.corner_uv[faces[here]])
            colours[here] *= sample_texture(material.texture, uv)
    if mesh.vertex_colour is not None:
        colours *= np.einsum("sc,scd->sd", weights, mesh.vertex_colour[mesh.faces[faces]].astype(np.float32))
    return np.clip(colours, 0.0, 1.0)


def sample_texture(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear look-up with wrap-around. texture (H, W, 4) uint8; uv (S, 2), v up -> (S, 3) float32 in [0, 1]."""
    height, width = texture.shape[:2]
    x = uv[:, 0].astype(np.float64) * width - 0.5
    y = (1.0 - uv[:, 1].astype(np.float64)) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    across, down = (x - left)[:, None].astype(np.float32), (y - top)[:, None].astype(np.float32)
    x0, y0 = np.mod(left, width).astype(np.intp), np.mod(top, height).astype(np.intp)
    x1, y1 = (x0 + 1) % width, (y0 + 1) % height
    rgb = texture[..., :3]
    upper = rgb[y0, x0] * (1 - across) + rgb[y0, x1] * across
    lower = rgb[y1, x0] * (1 - across) + rgb[y1, x1] * across
    return (upper * (1 - down) + lower * down) / np.float32(255.0)


def meaning_by_generator(generator: str) -> dict[str, str]:
    """The metadata of a mesh that this program wrote."""
    if generator.startswith(_WRITES_LINEAR):
        return {MEANING: LINEAR, REASON: "the standard says so, and the program that wrote the file follows it"}
    if generator.startswith(_WRITES_AS_IT_IS):
        return {MEANING: SRGB, REASON: f"the program that wrote the file ({generator[:60]}) does so", OTHER: LINEAR}
    return {MEANING: LINEAR, REASON: "the standard says so", OTHER: SRGB}


def as_srgb(values: np.ndarray, meaning: str) -> np.ndarray:
    """values (N, 3) in [0, 1], as a file has them -> (N, 3) float32 sRGB."""
    return (linear_to_srgb(values) if meaning == LINEAR else values).astype(np.float32)


def with_other_meaning(mesh: ReferenceMesh, reason: str) -> ReferenceMesh | None:
    """The same mesh with its vertex colours taken the other way; None where they have but one meaning."""
    other = mesh.metadata.get(OTHER)
    if other is None or mesh.vertex_colour is None:
        return None
    in_file = mesh.vertex_colour if other == LINEAR else srgb_to_linear(mesh.vertex_colour)
    metadata = {**mesh.metadata, MEANING: other, REASON: reason, OTHER: SRGB if other == LINEAR else LINEAR}
    return dataclasses.replace(mesh, vertex_colour=as_srgb(in_file, other), metadata=metadata)
