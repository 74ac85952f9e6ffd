"""From the file that Hunyuan3D-2 made to a clean, coloured mesh."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from motion324.core.normalisation import normalised_mesh
from motion324.core.progress import Progress
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.mesh.files.reading import read_mesh
from motion324.mesh_providers.hunyuan.cleaning import cleaned
from motion324.mesh_providers.inflate.texture import object_texture
from motion324.mesh_providers.interface import ObjectPicture, ProvidedMesh
from motion324.view.view_search import find_view


def finished(path: Path, picture: ObjectPicture, faces: int, progress: Progress) -> ProvidedMesh:
    """The GLB at `path`, whose front is what the picture shows: cleaned, reduced to `faces` faces, coloured from
    the picture where it has not been painted. Raises Motion324Error as read_mesh does."""
    raw = read_mesh(path, progress=progress)
    mesh = dataclasses.replace(cleaned(raw, faces), name=picture.name)
    painted = mesh.vertex_colour is not None or any(material.texture is not None for material in mesh.materials)
    match = find_view(normalised_mesh(mesh)[0], picture.frame, picture.mask, "front", progress)
    if not painted:
        mesh = _coloured(mesh, match.view.project(normalised_mesh(mesh)[0].positions, *picture.mask.shape)[0], picture)
    details = {
        "painted": painted,
        "faces_made": len(raw.faces),
        "silhouette_overlap": round(float(match.overlap), 4),
    }
    return ProvidedMesh(mesh, match.view, details=details)


def _coloured(mesh: ReferenceMesh, pixels: np.ndarray, picture: ObjectPicture) -> ReferenceMesh:
    """Every vertex, on the back as well, with the colour that the picture has at its pixel (N, 2)."""
    texture, (left, top, width, height) = object_texture(picture.frame, picture.mask)
    uv = np.stack([(pixels[:, 0] - left) / width, 1 - (pixels[:, 1] - top) / height], axis=1)
    return dataclasses.replace(
        mesh,
        face_material=np.zeros(len(mesh.faces), np.int32),
        materials=(Material("picture", (1.0, 1.0, 1.0, 1.0), texture),),
        corner_uv=np.clip(uv, 0.0, 1.0)[mesh.faces].astype(np.float32),
    )
