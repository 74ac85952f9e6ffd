"""What a mesh looks like: base colours, textures, texture coordinates and vertex colours, as a job takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from motion324.core.reference_mesh import Material

from . import modifier_stack
from .image_reading import Pixels, read_pixels, to_srgb
from .shader_tracing import Look, trace_material


@dataclass(frozen=True)
class Surface:
    """What the evaluated mesh itself tells. P faces, C face corners, N vertices.

    names, looks: of the object's material slots; used: the slots that have faces. face_material (P,) int32.
    corner_uv (C, 2) float32 or None. vertex_colour (N, 3) float32 sRGB or None; is_fallback: it counts only where no
    material has a texture.
    """

    names: tuple[str, ...]
    looks: tuple[Look, ...]
    used: frozenset[int]
    face_material: np.ndarray
    corner_uv: np.ndarray | None
    vertex_colour: np.ndarray | None
    is_fallback: bool


@dataclass(frozen=True)
class Looks:
    """materials: without their textures, whose pixels are, or None, at the same places. The rest as in Surface."""

    materials: tuple[Material, ...]
    pixels: tuple[Pixels | None, ...]
    corner_uv: np.ndarray | None
    vertex_colour: np.ndarray | None
    warnings: tuple[str, ...]


def read_surface(mesh: bpy.types.Mesh, obj: bpy.types.Object) -> Surface:
    """Reads materials of the object's slots and the mesh's attributes, but no pixels. Never raises."""
    slots = [slot.material for slot in obj.material_slots] or [None]
    looks = tuple(trace_material(material) for material in slots)
    face_material = np.clip(_face_material(mesh), 0, len(slots) - 1)
    corner_material = face_material[_corner_faces(mesh)]
    colour, is_fallback = _vertex_colour(mesh, looks, corner_material)
    return Surface(
        names=tuple(material.name if material else "none" for material in slots),
        looks=looks,
        used=frozenset(np.unique(face_material).tolist()),
        face_material=face_material,
        corner_uv=_corner_uv(mesh, looks, corner_material) if any(look.image for look in looks) else None,
        vertex_colour=colour,
        is_fallback=is_fallback,
    )


def read_looks(surface: Surface) -> Iterator[Looks]:
    """Takes the pixels, at most one picture a step; the last step yields the looks, those before it None.

    A picture that has gone meanwhile, or has no pixels, is a warning.
    """
    taken: dict[int, Pixels | None] = {}
    warnings: list[str] = []
    targets = [
        (look.image.session_uid, look.image.filepath or look.image.name)
        if look.image and index in surface.used
        else None
        for index, look in enumerate(surface.looks)
    ]
    for target in targets:
        if target is None or target[0] in taken:
            continue
        yield None
        uid, name = target
        taken[uid] = None
        try:
            for pixels_so_far in read_pixels(_image(uid)):
                taken[uid] = pixels_so_far
                if pixels_so_far is None:
                    yield None
        except ReferenceError:  # it has been removed, before or meanwhile
            pass
        if taken[uid] is None:
            warnings.append(f"The image '{name}' has no pixels to read, so the material's plain colour is used.")
    pixels = tuple(taken[target[0]] if target else None for target in targets)
    textured = any(found is not None for found in pixels)
    yield Looks(
        materials=tuple(
            _material(name, look, found is not None)
            for name, look, found in zip(surface.names, surface.looks, pixels, strict=True)
        ),
        pixels=pixels,
        corner_uv=surface.corner_uv if textured else None,
        vertex_colour=None if textured and surface.is_fallback else surface.vertex_colour,
        warnings=tuple(warnings),
    )


def _image(uid: int) -> bpy.types.Image:
    """Raises ReferenceError where it is not there any more."""
    image = next((image for image in bpy.data.images if image.session_uid == uid), None)
    if image is None:
        raise ReferenceError("the image has been removed")
    return image


def _material(name: str, look: Look, textured: bool) -> Material:
    colour = to_srgb(np.array(look.colour if textured or look.image is None else look.colour_without_image))
    red, green, blue = (float(value) for value in colour)
    return Material(name, (red, green, blue, float(look.alpha)))


def _face_material(mesh: bpy.types.Mesh) -> np.ndarray:
    """(P,) int32: the material slot of every face."""
    slots = np.zeros(len(mesh.polygons), np.int32)
    attribute = mesh.attributes.get("material_index")  # missing where every face has the first
    if attribute is not None:
        attribute.data.foreach_get("value", slots)
    return slots


def _corner_faces(mesh: bpy.types.Mesh) -> np.ndarray:
    """(C,) int32: the face of every corner."""
    totals = np.diff(modifier_stack.face_starts_of(mesh), append=len(mesh.loops))
    return np.repeat(np.arange(len(totals), dtype=np.int32), totals)


def _corner_uv(mesh: bpy.types.Mesh, looks: tuple[Look, ...], corner_material: np.ndarray) -> np.ndarray | None:
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
    mesh: bpy.types.Mesh, looks: tuple[Look, ...], corner_material: np.ndarray
) -> tuple[np.ndarray | None, bool]:
    """Colours from the attributes that materials show; else from the active one, and then True."""
    attributes = mesh.color_attributes
    shown = [_attribute(attributes, look.colour_attribute) for look in looks]
    is_fallback = not any(shown)
    if is_fallback:
        if attributes.active_color is None:
            return None, True
        shown = [attributes.active_color] * len(looks)
    corner_vertices = modifier_stack.corner_vertices_of(mesh)
    colours = np.ones((len(corner_vertices), 3), np.float32)
    for index, attribute in enumerate(shown):
        if attribute is not None:
            chosen = corner_material == index
            colours[chosen] = _corner_colours(attribute, corner_vertices)[chosen]
    return _mean_at_vertices(colours, corner_vertices, len(mesh.vertices)), is_fallback


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
