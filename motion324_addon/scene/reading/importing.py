"""Mesh files into the scene, for jobs that name a file instead of an object."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

from .operator_words import said_by_operator

Reader = Callable[[str], object]
READERS: dict[str, Reader] = {
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".gltf": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path),
    ".obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
    ".ply": lambda path: bpy.ops.wm.ply_import(filepath=path),
    ".stl": lambda path: bpy.ops.wm.stl_import(filepath=path),
    ".usd": lambda path: bpy.ops.wm.usd_import(filepath=path),
    ".usdc": lambda path: bpy.ops.wm.usd_import(filepath=path),
    ".usdz": lambda path: bpy.ops.wm.usd_import(filepath=path),
}


def import_mesh(path: Path) -> bpy.types.Object:
    """Imports the file and returns its mesh as one object; several meshes are joined.

    Raises Motion324Error("mesh-file-missing", "mesh-format", "mesh-unreadable" or "mesh-empty").
    """
    path = Path(path)
    if not path.is_file():
        raise Motion324Error("mesh-file-missing", f"There is no mesh file '{path}'.", "Check its path.", EXIT_BAD_MESH)
    before = set(bpy.data.objects)
    if path.suffix.lower() == ".blend":
        _append(path)
    else:
        _read(path)
    objects = [obj for obj in bpy.data.objects if obj not in before]
    meshes = [obj for obj in objects if obj.type == "MESH" and obj.data.polygons and not _is_bone_shape(obj, objects)]
    if not meshes:
        raise Motion324Error(
            "mesh-empty",
            f"'{path}' has no mesh with faces.",
            "Export the mesh again, or choose another.",
            EXIT_BAD_MESH,
        )
    return meshes[0] if len(meshes) == 1 else _join(meshes)


def _read(path: Path) -> None:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join([*READERS, ".blend"])
        raise Motion324Error(
            "mesh-format", f"'{path}' has no mesh format that can be read.", f"Use one of {known}.", EXIT_BAD_MESH
        )
    try:
        reader(str(path))
    except (RuntimeError, AttributeError) as error:  # how operators report their errors, or that they do not exist
        sentence = f"'{path}' could not be read: {said_by_operator(error)}."
        raise Motion324Error("mesh-unreadable", sentence, "Export it again.", EXIT_BAD_MESH) from error


def _append(path: Path) -> None:
    try:
        with bpy.data.libraries.load(str(path), link=False) as (there, here):
            here.objects = there.objects
    except OSError as error:
        raise Motion324Error(
            "mesh-unreadable", f"'{path}' could not be read: {error}.", "Save it again.", EXIT_BAD_MESH
        ) from error
    for obj in here.objects:
        bpy.context.scene.collection.objects.link(obj)


def _is_bone_shape(obj: bpy.types.Object, objects: list[bpy.types.Object]) -> bool:
    """Importers draw bones by small meshes that are no part of the model."""
    armatures = [other for other in objects if other.type == "ARMATURE" and other.pose]
    return any(bone.custom_shape == obj for armature in armatures for bone in armature.pose.bones)


def _join(meshes: list[bpy.types.Object]) -> bpy.types.Object:
    with bpy.context.temp_override(active_object=meshes[0], object=meshes[0], selected_editable_objects=meshes):
        bpy.ops.object.join()
    return meshes[0]
