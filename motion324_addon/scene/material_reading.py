"""What a mesh looks like: base colours, textures, texture coordinates and vertex colours, as a job takes them."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from motion324.mesh.reference_mesh import Material

from . import modifier_stack
from .image_reading import read_image, to_srgb
from .shader_tracing import Look, trace_material


@dataclass(frozen=True)
class Looks:
    """P faces, C face corners, N vertices.

    face_material (P,) int32; corner_uv (C, 2) float32 or None; vertex_colour (N, 3) float32 sRGB or None.
    """

    materials: tuple[Material, ...]
    face_material: np.ndarray
    corner_uv: np.ndarray | None
    vertex_colour: np.ndarray | None
    warnings: tuple[str, ...]


def read_looks(mesh: bpy.types.Mesh, obj: bpy.types.Object) -> Looks:
    """Reads materials of the object's slots and the mesh's attributes. Never raises; what is missing is a warning."""
    slots = [slot.material for slot in obj.material_slots] or [None]
    face_material = np.zeros(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", face_material)
    face_material = np.clip(face_material, 0, len(slots) - 1)
    used = set(np.unique(face_material).tolist())
    warnings: list[str] = []
    looks = [trace_material(material) for material in slots]
    textures = [_texture(look, index in used, warnings) for index, look in enumerate(looks)]
    materials = tuple(
        _material(material, look, texture) for material, look, texture in zip(slots, looks, textures, strict=True)
    )
    corner_material = face_material[_corner_faces(mesh)]
    textured = any(texture is not None for texture in textures)
    return Looks(
        materials=materials,
        face_material=face_material,
        corner_uv=_corner_uv(mesh, looks, corner_material) if textured else None,
        vertex_colour=_vertex_colour(mesh, looks, corner_material, use_active=not textured),
        warnings=tuple(warnings),
    )


def _material(material: bpy.types.Material | None, look: Look, texture: np.ndarray | None) -> Material:
    colour = to_srgb(np.array(look.colour if texture is not None or look.image is None else look.colour_without_image))
    red, green, blue = (float(value) for value in colour)
    return Material(material.name if material else "none", (red, green, blue, float(look.alpha)), texture)


def _texture(look: Look, used: bool, warnings: list[str]) -> np.ndarray | None:
    if look.image is None or not used:
        return None
    pixels = read_image(look.image)
    if pixels is None:
        where = look.image.filepath or look.image.name
        warnings.append(f"The image '{where}' has no pixels to read, so the material's plain colour is used.")
    return pixels


def _corner_faces(mesh: bpy.types.Mesh) -> np.ndarray:
    """(C,) int32: the face of every corner."""
    totals = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", totals)
    return np.repeat(np.arange(len(totals), dtype=np.int32), totals)


def _corner_uv(mesh: bpy.types.Mesh, looks: list[Look], corner_material: np.ndarray) -> np.ndarray | None:
    """Texture coordinates from the map that each material names, else from the one that renders use."""
    layers = mesh.uv_layers
    if not layers:
        return None
    render = next((layer for layer in layers if layer.active_render), layers[0])
    uv = _uv(render)
    for index, look in enumerate(looks):
        if look.uv_map and look.uv_map != render.name and look.uv_map in layers:
            chosen = corner_material == index
            uv[chosen] = _uv(layers[look.uv_map])[chosen]
    return uv


def _uv(layer: bpy.types.MeshUVLoopLayer) -> np.ndarray:
    uv = np.empty((len(layer.uv), 2), np.float32)
    layer.uv.foreach_get("vector", uv.ravel())
    return uv


def _vertex_colour(
    mesh: bpy.types.Mesh, looks: list[Look], corner_material: np.ndarray, use_active: bool
) -> np.ndarray | None:
    """Colours from the attributes that materials show; the active attribute where nothing has a texture."""
    attributes = mesh.color_attributes
    shown = [_attribute(attributes, look.colour_attribute) for look in looks]
    if not any(shown):
        if not use_active or attributes.active_color is None:
            return None
        shown = [attributes.active_color] * len(looks)
    corner_vertices = modifier_stack.corner_vertices_of(mesh)
    colours = np.ones((len(corner_vertices), 3), np.float32)
    for index, attribute in enumerate(shown):
        if attribute is not None:
            chosen = corner_material == index
            colours[chosen] = _corner_colours(attribute, corner_vertices)[chosen]
    return _mean_at_vertices(colours, corner_vertices, len(mesh.vertices))


def _attribute(attributes: bpy.types.AttributeGroupMesh, name: str | None) -> bpy.types.Attribute | None:
    """The colour attribute of that name; the one that renders use for ""."""
    if name == "":
        index = attributes.render_color_index
        return attributes[index] if 0 <= index < len(attributes) else None
    return attributes.get(name) if name is not None else None


def _mean_at_vertices(values: np.ndarray, corner_vertices: np.ndarray, count: int) -> np.ndarray:
    """values (C, 3) at corners -> (N, 3) float32 their means; 1 at vertices without a face."""
    counts = np.bincount(corner_vertices, minlength=count)
    sums = [np.bincount(corner_vertices, values[:, channel], minlength=count) for channel in range(3)]
    means = np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None]
    means[counts == 0] = 1.0
    return means.astype(np.float32)


def _corner_colours(attribute: bpy.types.Attribute, corner_vertices: np.ndarray) -> np.ndarray:
    """(C, 3) float32 sRGB: Blender keeps byte colours in sRGB and shows them as linear; `color_srgb` is the former."""
    colours = np.empty((len(attribute.data), 4), np.float32)
    attribute.data.foreach_get("color_srgb", colours.ravel())
    colours = np.clip(colours[:, :3], 0, 1)
    return colours[corner_vertices] if attribute.domain == "POINT" else colours
