"""Checks what a reference mesh must satisfy before anything is computed from it, files' and Blender's meshes alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh

_AT_ONCE = 2**18  # faces between two looks for cancellation
FIX_IN_MODELLER = "Repair the mesh in a modelling program and export it again."


def bad_mesh(code: str, sentence: str, hint: str = FIX_IN_MODELLER) -> Motion324Error:
    """The error of a mesh that cannot be used; every module that reads meshes raises it."""
    return Motion324Error(code, sentence, hint, EXIT_BAD_MESH)


def check_mesh(mesh: ReferenceMesh, progress: Progress = silent) -> None:
    """Raises Motion324Error with EXIT_BAD_MESH that names the mesh and what is wrong with it, or Cancelled.

    Codes: mesh-malformed, mesh-empty, mesh-not-finite, mesh-bad-faces, mesh-bad-colours, mesh-zero-extent,
    mesh-zero-area.
    """
    _check_shapes(mesh)
    positions, faces, name = mesh.positions, mesh.faces, mesh.name
    if len(positions) == 0 or len(faces) == 0:
        raise bad_mesh(
            "mesh-empty",
            f"The mesh '{name}' is empty: it has {len(positions)} vertices and {len(faces)} faces.",
            "Choose a mesh with faces; point clouds and curves have to be converted to a mesh first.",
        )
    progress("read", 0, 1)
    broken = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(broken):
        raise bad_mesh(
            "mesh-not-finite",
            f"The mesh '{name}' has {len(broken)} vertices whose position is not a finite number "
            f"(the first is vertex {broken[0]}).",
        )
    outside = np.concatenate(
        [first + np.flatnonzero(((some < 0) | (some >= len(positions))).any(axis=1)) for first, some in _parts(faces)]
    )
    progress("read", 0, 1)
    if len(outside):
        raise bad_mesh(
            "mesh-bad-faces",
            f"The mesh '{name}' has {len(outside)} faces that refer to vertices which do not exist "
            f"(the first is face {outside[0]}; there are {len(positions)} vertices).",
        )
    _check_colours(mesh)
    progress("read", 0, 1)
    _check_extent(mesh, progress)


def _parts(faces: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Some faces at a time, after the number of the first of them, so that a large mesh's checks can be cancelled."""
    for first in range(0, len(faces), _AT_ONCE):
        yield first, faces[first : first + _AT_ONCE]


def _check_shapes(mesh: ReferenceMesh) -> None:
    count, triangles = len(mesh.positions), len(mesh.faces)
    expected: list[tuple[str, np.ndarray | None, tuple[int, ...]]] = [
        ("positions", mesh.positions, (count, 3)),
        ("faces", mesh.faces, (triangles, 3)),
        ("face_material", mesh.face_material, (triangles,)),
        ("corner_uv", mesh.corner_uv, (triangles, 3, 2)),
        ("vertex_colour", mesh.vertex_colour, (count, 3)),
    ]
    for label, array, shape in expected:
        if array is not None and array.shape != shape:
            raise bad_mesh(
                "mesh-malformed",
                f"The mesh '{mesh.name}' has {label} of shape {array.shape} where {shape} is needed.",
            )
    if mesh.up not in ("Y", "Z"):
        raise bad_mesh("mesh-malformed", f"The mesh '{mesh.name}' has the up axis '{mesh.up}'; it must be Y or Z.", "")


def _check_colours(mesh: ReferenceMesh) -> None:
    least, most = int(mesh.face_material.min()), int(mesh.face_material.max())
    if len(mesh.materials) == 0 or least < 0 or most >= len(mesh.materials):
        raise bad_mesh(
            "mesh-bad-colours",
            f"The mesh '{mesh.name}' has faces with material {most}, but only {len(mesh.materials)} materials.",
        )
    if mesh.corner_uv is not None and not np.isfinite(mesh.corner_uv).all():
        raise bad_mesh("mesh-bad-colours", f"The mesh '{mesh.name}' has texture coordinates that are not finite.")
    if mesh.vertex_colour is not None and not np.isfinite(mesh.vertex_colour).all():
        raise bad_mesh("mesh-bad-colours", f"The mesh '{mesh.name}' has vertex colours that are not finite.")


def _check_extent(mesh: ReferenceMesh, progress: Progress) -> None:
    in_use = np.zeros(len(mesh.positions), bool)
    for _, some in _parts(mesh.faces):
        progress("read", 0, 1)
        in_use[some.ravel()] = True
    used = mesh.positions[in_use].astype(np.float64)
    extent = float((used.max(axis=0) - used.min(axis=0)).max())
    # Relative to the coordinates: far from the origin float32 cannot tell the vertices apart.
    if extent <= 1e-6 * float(np.abs(used).max()) or extent < 1e-30:
        raise bad_mesh("mesh-zero-extent", f"All vertices of the mesh '{mesh.name}' lie at the same point.")
    area, scaled = 0.0, mesh.positions.astype(np.float64) / extent
    for _, some in _parts(mesh.faces):
        progress("read", 0, 1)
        area += float(triangle_areas(scaled, some).sum())
    if area < 1e-10:
        raise bad_mesh("mesh-zero-area", f"The faces of the mesh '{mesh.name}' have no area: all are degenerate.")


def triangle_areas(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """positions (N, 3), faces (F, 3) -> areas (F,) float64, in the square of the positions' unit."""
    corners = positions.astype(np.float64)[faces]
    return 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
