"""Reads a mesh file of any known kind as a ReferenceMesh, and checks it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from motion324.core.errors import Motion324Error
from motion324.core.files.foreign_names import short
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.checks import bad_mesh, check_mesh
from motion324.mesh.files.foreign import Damaged

log = logging.getLogger(__name__)

BLENDER_SUFFIXES = (".fbx", ".blend")
_MOST_WARNINGS = 10
SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", *BLENDER_SUFFIXES)


def read_mesh(path: Path | str, *, blender: Path | None = None, progress: Progress = silent) -> ReferenceMesh:
    """Vertices in the file's own order and coordinates: none is merged, dropped or moved to another place.

    Files with several parts become one mesh: each part at its place in the scene, one after the other in the file's
    order; metadata["parts"] names them. Y is up, but Z for FBX and .blend, which a Blender process opens (see
    motion324.blender.blender_reading; `blender` is its executable or a Python with bpy, None looks for one).
    Raises Motion324Error with EXIT_BAD_MESH: file missing, of unknown kind, unreadable, without a usable mesh.
    """
    path = Path(path)
    check_mesh_file(path)
    try:
        mesh = _read(path, path.suffix.lower(), blender, progress)
    except (Motion324Error, MemoryError):
        raise
    except Exception as error:  # parsers raise anything on damaged files
        log.info("Reading %s failed", path, exc_info=True)
        raise bad_mesh(
            "mesh-unreadable",
            f"The mesh file '{path}' cannot be read: {_reason(error)}.",
            "Open it in a modelling program and export it again.",
        ) from error
    if len(mesh.faces) == 0:
        raise bad_mesh(
            "mesh-empty",
            f"The file '{path}' holds no mesh with faces ({len(mesh.positions)} vertices, 0 faces).",
            "Export a mesh with faces; point clouds and curves have to be converted first.",
        )
    check_mesh(mesh, progress)
    return replace(mesh, warnings=_some(mesh.warnings))


def _some(warnings: tuple[dict[str, str], ...]) -> tuple[dict[str, str], ...]:
    """So many as a person reads."""
    left_out = len(warnings) - _MOST_WARNINGS
    if left_out <= 0:
        return warnings
    more = {"code": warnings[-1]["code"], "sentence": f"There are {left_out} more warnings about this mesh file."}
    return (*warnings[:_MOST_WARNINGS], more)


def check_mesh_file(path: Path) -> None:
    """What can be known without reading it. Raises Motion324Error("mesh-missing" or "mesh-unknown-kind")."""
    if not path.exists():
        raise bad_mesh("mesh-missing", f"The mesh file '{path}' does not exist.", "Check the path.")
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        raise bad_mesh(
            "mesh-unknown-kind",
            f"'{path}' is not a mesh file of a known kind.",
            f"Known are {', '.join(SUFFIXES)}; export the mesh as .glb, for example.",
        )


def _read(path: Path, suffix: str, blender: Path | None, progress: Progress) -> ReferenceMesh:
    # Imported where needed: each brings libraries that the other kinds do without.
    if suffix in (".glb", ".gltf"):
        from motion324.mesh.files.gltf_reading import read_gltf

        return read_gltf(path, progress)
    if suffix == ".obj":
        from motion324.mesh.files.obj_reading import read_obj

        return read_obj(path, progress)
    if suffix in BLENDER_SUFFIXES:
        from motion324.blender.blender_reading import read_through_blender

        return read_through_blender(path, blender, progress)
    if suffix == ".ply":
        from motion324.mesh.files.ply_stl_reading import read_ply

        return read_ply(path, progress)
    from motion324.mesh.files.ply_stl_reading import read_stl

    return read_stl(path, progress)


def _reason(error: Exception) -> str:
    """What a reader said of a damaged file in words; what Python or a library says is in the log."""
    if type(error) is RecursionError:
        return "it is nested too deeply"
    if isinstance(error, Damaged):
        return short(str(error).rstrip("."), 300)
    if isinstance(error, OSError):
        return short((error.strerror or "").lower()) or "the disk does not give it"
    return "it is damaged, or not what its name says"
