"""Makes new objects of the scene, of a mesh that the backend has made or of a mesh file that a job names, and
says what Blender's operators say when they fail, as people may read it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.srgb import srgb_to_linear

from .orientation import z_up

Reader = Callable[[str], object]
SIZE = 2.0  # Blender units of the longest side, as of Blender's own new meshes
UV_NAME, COLOUR_NAME = "UVMap", "Color"  # as Blender calls its own


def said_by_operator(error: Exception) -> str:
    """Why one of Blender's operators failed, as it said it: without the marks and the lines of code around it."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(("Location:", 'File "', "Warning:"))]
    if any("Traceback (most recent call last)" in line for line in lines):
        lines = lines[-1:]  # the exception itself
    found = [line for line in lines if line.startswith("Error:")] or lines[-1:]
    return found[0].removeprefix("Error:").strip().rstrip(".") if found else "Blender does not say why"


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


def add_object(mesh: ReferenceMesh, context: bpy.types.Context) -> bpy.types.Object:
    """The mesh, standing where the 3D cursor is, its front towards -Y; selected and active, and nothing else is.

    Leaves Edit Mode first. Pictures become part of the .blend.
    """
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    positions = _standing(mesh)
    data = _mesh_data(mesh, positions)
    pictures: dict[int, bpy.types.Image] = {}
    for material in mesh.materials:
        data.materials.append(_material(material, mesh.vertex_colour is not None, pictures))
    obj = bpy.data.objects.new(mesh.name, data)
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


def _mesh_data(mesh: ReferenceMesh, positions: np.ndarray) -> bpy.types.Mesh:
    data = bpy.data.meshes.new(mesh.name)
    faces = np.ascontiguousarray(mesh.faces, np.int32)
    data.vertices.add(len(positions))
    data.vertices.foreach_set("co", positions.ravel())
    data.loops.add(faces.size)
    data.loops.foreach_set("vertex_index", faces.ravel())
    data.polygons.add(len(faces))
    data.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    data.polygons.foreach_set("material_index", np.asarray(mesh.face_material, np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    data.update(calc_edges=True)
    if mesh.corner_uv is not None:
        layer = data.uv_layers.new(name=UV_NAME)
        layer.data.foreach_set("uv", np.asarray(mesh.corner_uv, np.float32).ravel())
    if mesh.vertex_colour is not None:
        colours = np.ones((len(positions), 4), np.float32)
        colours[:, :3] = mesh.vertex_colour
        attribute = data.color_attributes.new(COLOUR_NAME, "BYTE_COLOR", "POINT")
        attribute.data.foreach_set("color_srgb", colours.ravel())
    return data


def _material(material: Material, has_vertex_colour: bool, pictures: dict[int, bpy.types.Image]) -> bpy.types.Material:
    """A Principled material with the texture, or else the vertices' colours. pictures: those made so far."""
    made = bpy.data.materials.new(material.name)
    made.use_nodes = True
    shader = next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = 0.8  # what a frame shows has its highlights painted on
    source = None
    if material.texture is not None:
        source = made.node_tree.nodes.new("ShaderNodeTexImage")
        source.image = pictures.setdefault(id(material.texture), _picture(material))
    elif has_vertex_colour:
        source = made.node_tree.nodes.new("ShaderNodeVertexColor")
        source.layer_name = COLOUR_NAME
    if source is None:
        red, green, blue = (float(channel) for channel in srgb_to_linear(material.base_colour[:3]))
        shader.inputs["Base Color"].default_value = (red, green, blue, 1.0)
        return made
    source.location = (shader.location.x - 320, shader.location.y)
    made.node_tree.links.new(source.outputs["Color"], shader.inputs["Base Color"])
    return made


def _picture(material: Material) -> bpy.types.Image:
    assert material.texture is not None
    height, width = material.texture.shape[:2]
    image = bpy.data.images.new(material.name, width, height, alpha=False)
    pixels = np.ascontiguousarray(material.texture[::-1], np.float32) / 255  # Blender counts rows from below
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    return image
