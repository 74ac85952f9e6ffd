"""Computes the colour of a mesh's surface: material times texture times vertex colour, all in sRGB.

glTF multiplies these factors as linear light. For a pure power curve, which sRGB nearly is, the product of the
encoded values is the encoded value of the product, so that colours can stay in sRGB throughout.
"""

from __future__ import annotations

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh


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
