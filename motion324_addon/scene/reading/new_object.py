"""Makes new objects of the scene, of a mesh that the backend has made or of a mesh file that a job names, and
says what Blender's operators say when they fail, as people may read it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.inside_blender.mesh.making import new_mesh
from motion324.core.inside_blender.operator_words import said_by_operator
from motion324.core.reference_mesh import ReferenceMesh

from .mesh_file import readable_by_blender
from .orientation import z_up

Reader = Callable[[str], object]
SIZE = 2.0  # Blender units of the longest side, as of Blender's own new meshes


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
        with readable_by_blender(path) as readable:
            reader(str(readable))
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


def add_object(mesh: ReferenceMesh, context: bpy.types.Context) -> bpy.types.Object:
    """The mesh, standing where the 3D cursor is, its front towards -Y; selected and active, and nothing else is.

    Leaves Edit Mode first. Pictures become part of the .blend.
    """
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    positions = _standing(mesh)
    obj = bpy.data.objects.new(mesh.name, new_mesh(bpy, mesh, positions))
    context.collection.objects.link(obj)
    obj.location = context.scene.cursor.location
    for other in context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    context.view_layer.objects.active = obj
    return obj


def _standing(mesh: ReferenceMesh) -> np.ndarray:
    """(N, 3) float32: Z up, in the middle of X and Y and on the ground, the longest side of SIZE."""
    positions = z_up(mesh.positions.astype(np.float64), mesh.up)
    low, high = positions.min(axis=0), positions.max(axis=0)
    foot = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    return ((positions - foot) * (SIZE / float((high - low).max()))).astype(np.float32)
