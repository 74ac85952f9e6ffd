"""A mesh that the backend has made, as a new object of the scene."""

from __future__ import annotations

import bpy
import numpy as np

from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.srgb import srgb_to_linear

from .orientation import z_up

SIZE = 2.0  # Blender units of the longest side, as of Blender's own new meshes
UV_NAME, COLOUR_NAME = "UVMap", "Color"  # as Blender calls its own


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
