"""A reference mesh as a Blender mesh, with its materials and pictures: for new objects, and for files with a rig."""

from __future__ import annotations

from typing import Any

import numpy as np

from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.srgb import srgb_to_linear

UV_NAME, COLOUR_NAME = "UVMap", "Color"  # as Blender calls its own


def new_mesh(bpy: Any, mesh: ReferenceMesh, positions: np.ndarray) -> Any:
    """A Blender mesh of these vertices (N, 3), in their order, with Principled materials; pictures are packed."""
    data = _mesh_data(bpy, mesh, positions)
    pictures: dict[int, Any] = {}
    for material in mesh.materials:
        data.materials.append(_material(bpy, material, mesh.vertex_colour is not None, pictures))
    return data


def _mesh_data(bpy: Any, mesh: ReferenceMesh, positions: np.ndarray) -> Any:
    data = bpy.data.meshes.new(mesh.name)
    faces = np.ascontiguousarray(mesh.faces, np.int32)
    data.vertices.add(len(positions))
    data.vertices.foreach_set("co", np.ascontiguousarray(positions, np.float32).ravel())
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


def _material(bpy: Any, material: Material, has_vertex_colour: bool, pictures: dict[int, Any]) -> Any:
    """A Principled material with the texture, or else the vertices' colours. pictures: those made so far."""
    made = bpy.data.materials.new(material.name)
    if bpy.app.version < (5, 0, 0):  # from then on every material has them, and the switch goes in 6.0
        made.use_nodes = True
    shader = next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = 0.8  # what a frame shows has its highlights painted on
    source = None
    if material.texture is not None:
        source = made.node_tree.nodes.new("ShaderNodeTexImage")
        source.image = pictures.setdefault(id(material.texture), _picture(bpy, material))
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


def _picture(bpy: Any, material: Material) -> Any:
    assert material.texture is not None
    height, width = material.texture.shape[:2]
    image = bpy.data.images.new(material.name, width, height, alpha=False)
    pixels = np.ascontiguousarray(material.texture[::-1], np.float32) / 255  # Blender counts rows from below
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    return image
