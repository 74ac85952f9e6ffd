"""PLY and STL -> ReferenceMesh through trimesh, with nothing merged or reordered."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.mesh.textures import texture_from_image

_WHITE = (1.0, 1.0, 1.0, 1.0)


def read_ply_or_stl(path: Path) -> ReferenceMesh:
    """The vertices of a PLY in its own order; an STL has three vertices for each of its triangles.

    Colours: of vertices or faces, or the texture that a PLY's `comment TextureFile` names.
    Raises what trimesh raises for damaged files: motion324.mesh.files.reading turns it into words.
    """
    loaded = trimesh.load(str(path), process=False, **({"fix_texture": False} if path.suffix.lower() == ".ply" else {}))
    meshes = list(loaded.geometry.values()) if isinstance(loaded, trimesh.Scene) else [loaded]
    meshes = [mesh for mesh in meshes if isinstance(mesh, trimesh.Trimesh)]
    if not meshes:
        return _mesh(path, np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    if len(meshes) > 1:  # an ASCII STL with several solids
        offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
        positions = np.concatenate([mesh.vertices for mesh in meshes])
        faces = np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=False)])
        return _mesh(path, positions, faces)
    mesh = meshes[0]
    positions, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    image = getattr(getattr(mesh.visual, "material", None), "image", None)
    if image is not None:
        uv = _corner_uv(mesh)
        if uv is not None:
            texture = _texture(image)
            return _mesh(path, positions, faces, uv=uv, material=Material(base_colour=_WHITE, texture=texture))
    if mesh.visual.kind == "vertex":
        colour = np.asarray(mesh.visual.vertex_colors)[:, :3] / 255.0
        return _mesh(path, positions, faces, colour=colour, material=Material(base_colour=_WHITE))
    if mesh.visual.kind == "face":
        texture, uv = _colour_per_face(np.asarray(mesh.visual.face_colors))
        return _mesh(path, positions, faces, uv=uv, material=Material(base_colour=_WHITE, texture=texture))
    return _mesh(path, positions, faces)


def _mesh(
    path: Path,
    positions: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray | None = None,
    colour: np.ndarray | None = None,
    material: Material | None = None,
) -> ReferenceMesh:
    return ReferenceMesh(
        positions=np.ascontiguousarray(positions, dtype=np.float32),
        faces=np.ascontiguousarray(faces, dtype=np.int32),
        face_material=np.zeros(len(faces), np.int32),
        materials=(material or Material(),),
        corner_uv=None if uv is None else uv.astype(np.float32),
        vertex_colour=None if colour is None else colour.astype(np.float32),
        up="Y",
        name=path.stem,
        metadata={"vertex order": "as in the file"},
    )


def _texture(image: Image.Image) -> np.ndarray:
    return texture_from_image(image)


def _corner_uv(mesh: trimesh.Trimesh) -> np.ndarray | None:
    """(F, 3, 2): per corner where the PLY says so (trimesh would keep one of them per vertex), else per vertex."""
    faces = np.asarray(mesh.faces)
    raw = mesh.metadata.get("_ply_raw", {}).get("face", {}).get("data")
    per_face = None
    if isinstance(raw, dict):
        per_face = raw.get("texcoord")
    elif isinstance(raw, np.ndarray) and raw.dtype.names and "texcoord" in raw.dtype.names:
        per_face = raw["texcoord"]["f1"]
    if per_face is not None and np.shape(per_face) == (len(faces), 6):
        return np.asarray(per_face, dtype=np.float64).reshape(-1, 3, 2)
    uv = getattr(mesh.visual, "uv", None)
    return None if uv is None else np.asarray(uv)[faces]


def _colour_per_face(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """colours (F, 4) uint8 -> a texture with one texel for each face, and the (F, 3, 2) coordinates at its centre."""
    width = max(1, math.ceil(math.sqrt(len(colours))))
    height = max(1, math.ceil(len(colours) / width))
    texture = np.full((height, width, 4), 255, np.uint8)
    texture.reshape(-1, 4)[: len(colours)] = colours
    index = np.arange(len(colours))
    centre = np.stack([(index % width + 0.5) / width, 1 - (index // width + 0.5) / height], axis=1)
    return texture, np.repeat(centre[:, None], 3, axis=1)
