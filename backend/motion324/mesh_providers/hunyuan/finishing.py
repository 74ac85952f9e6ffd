"""Prepares the picture that Hunyuan3D-2 is given, and makes a clean, coloured mesh from the file that it returns.

What is amiss with generated meshes: floaters, faces without area, and far too many faces.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import cv2
import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from motion324.core.progress import Progress
from motion324.core.reference_mesh import Material, ReferenceMesh, normalised_mesh
from motion324.mesh.checks import check_mesh, triangle_areas
from motion324.mesh.files.reading import read_mesh
from motion324.mesh_providers.inflate.silhouette import object_texture
from motion324.mesh_providers.interface import ObjectPicture, ProvidedMesh
from motion324.view.view_search import find_view

log = logging.getLogger(__name__)

SMALLEST_PART = 0.005  # of all faces; what is smaller and hangs together with nothing is a floater


def cleaned(mesh: ReferenceMesh, faces: int) -> ReferenceMesh:
    """Without floaters and degenerate faces, and with about `faces` faces at the most.

    Painted meshes (those with texture coordinates) keep their faces: Hunyuan3D-2 reduces before it paints.
    Raises Motion324Error("mesh-empty" and the like) where nothing of use remains.
    """
    mesh = without_floaters(without_degenerate_faces(mesh))
    if len(mesh.faces) > faces and mesh.corner_uv is None:
        mesh = without_degenerate_faces(reduced(mesh, faces))
    check_mesh(mesh)
    return mesh


def without_degenerate_faces(mesh: ReferenceMesh) -> ReferenceMesh:
    """Without the faces that name a place twice or have no area."""
    extent = float(np.ptp(mesh.positions, axis=0).max()) or 1.0
    return _with_faces(mesh, triangle_areas(mesh.positions / extent, mesh.faces) > 1e-14)


def without_floaters(mesh: ReferenceMesh) -> ReferenceMesh:
    """Without the parts of fewer than SMALLEST_PART of all faces; vertices at the same place hang together."""
    _, place = np.unique(mesh.positions, axis=0, return_inverse=True)
    place = place.ravel()
    corners = place[mesh.faces]
    links = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]]])
    count = int(place.max()) + 1
    graph = scipy.sparse.coo_matrix((np.ones(len(links), np.int8), links.T), shape=(count, count))
    _, part_of = connected_components(graph, directed=False)
    part = part_of[corners[:, 0]]
    sizes = np.bincount(part)
    return _with_faces(mesh, sizes[part] >= SMALLEST_PART * len(mesh.faces))


def reduced(mesh: ReferenceMesh, faces: int) -> ReferenceMesh:
    """By quadric error metrics (Garland and Heckbert 1997), where the package fast-simplification is installed;
    elsewhere a warning in the log says that the mesh keeps its faces. Vertex colours and texture are dropped."""
    try:
        import fast_simplification
    except ImportError:
        log.warning(
            "The generated mesh keeps its %d faces: install the extra 'hunyuan3d' of motion324 to have it reduced.",
            len(mesh.faces),
        )
        return mesh
    places, first = np.unique(mesh.positions, axis=0, return_inverse=True)
    welded = first.ravel()[mesh.faces].astype(np.int32)
    points, triangles = fast_simplification.simplify(
        np.ascontiguousarray(places, np.float32), welded, target_count=faces
    )
    return ReferenceMesh(
        positions=np.asarray(points, np.float32),
        faces=np.asarray(triangles, np.int32),
        face_material=np.zeros(len(triangles), np.int32),
        materials=(dataclasses.replace(mesh.materials[0], texture=None),),
        up=mesh.up,
        name=mesh.name,
        metadata=mesh.metadata,
    )


def _with_faces(mesh: ReferenceMesh, kept: np.ndarray) -> ReferenceMesh:
    """Only with the faces (F,) bool and the vertices that they use."""
    if kept.all() or not kept.any():
        return mesh
    used, faces = np.unique(mesh.faces[kept], return_inverse=True)
    return dataclasses.replace(
        mesh,
        positions=mesh.positions[used],
        faces=faces.reshape(-1, 3).astype(np.int32),
        face_material=mesh.face_material[kept],
        corner_uv=None if mesh.corner_uv is None else mesh.corner_uv[kept],
        vertex_colour=None if mesh.vertex_colour is None else mesh.vertex_colour[used],
    )


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


SIDE = 1024  # pixels, of the square at the most
BORDER = 0.15  # of the object's longer side, on each side of it


def object_on_square(picture: ObjectPicture) -> np.ndarray:
    """(S, S, 4) uint8 RGBA, S <= SIDE. Raises Motion324Error("no-foreground")."""
    frame, mask, solid = picture.frame, picture.mask, picture.solid()
    ys, xs = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    top, bottom, left, right = int(ys[0]), int(ys[-1]) + 1, int(xs[0]), int(xs[-1]) + 1
    side = round(max(bottom - top, right - left) * (1 + 2 * BORDER))
    square = np.zeros((side, side, 4), np.uint8)
    y, x = (side - (bottom - top)) // 2, (side - (right - left)) // 2
    coverage = np.clip(255 * mask[top:bottom, left:right, None] + 0.5, 0, 255).astype(np.uint8)
    square[y : y + bottom - top, x : x + right - left] = np.concatenate(
        [frame[top:bottom, left:right], coverage], axis=2
    )
    if side > SIDE:
        square = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return square
