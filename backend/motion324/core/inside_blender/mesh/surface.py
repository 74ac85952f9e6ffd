"""Reads an evaluated Blender mesh as arrays: its places, faces and triangles in Blender's own order, and what it looks
like.

Base colours, textures, texture coordinates and vertex colours are as a job takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.inside_blender.mesh.shader_tracing import Look, trace_material
from motion324.core.reference_mesh import Material
from motion324.core.srgb import linear_to_srgb

DOUBT = "Motion324 Doubt"  # the colour attribute that the add-on shows doubt by
COLOUR_BEFORE_DOUBT = "motion324_colour_before"  # a custom property of the mesh: which one was active before


@dataclass(frozen=True)
class Triangles:
    """F triangles in Blender's own triangulation. corners (F, 3) int32: indices of face corners; faces (F, 3) int32:
    of vertices; polygons (F,) int32: the face that each is part of."""

    corners: np.ndarray
    faces: np.ndarray
    polygons: np.ndarray


def triangles_of(mesh: Any, mirrored: bool) -> Triangles:
    """mirrored: the object shows its faces from behind, unless their corners turn around."""
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    corners: np.ndarray = np.empty((count, 3), np.int32)
    mesh.loop_triangles.foreach_get("loops", corners.ravel())
    polygons = np.empty(count, np.int32)
    mesh.loop_triangle_polygons.foreach_get("value", polygons)
    if mirrored:
        corners = np.ascontiguousarray(corners[:, ::-1])
    return Triangles(corners, np.ascontiguousarray(corner_vertices_of(mesh)[corners]), polygons)


def positions_of(mesh: Any) -> np.ndarray:
    """(N, 3) float32, object space."""
    positions = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", positions.ravel())  # 50 times as fast as `vertices`
    return positions


def corner_vertices_of(mesh: Any) -> np.ndarray:
    """(C,) int32: the vertex of every face corner, face after face."""
    corners = np.empty(len(mesh.loops), np.int32)
    if len(corners):  # a mesh without faces may lack the attribute, which is 500 times as fast as `loops`
        mesh.attributes[".corner_vert"].data.foreach_get("value", corners)
    return corners


def face_starts_of(mesh: Any) -> np.ndarray:
    """(P,) int32: the first corner of every face."""
    starts = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", starts)
    return starts


@dataclass(frozen=True)
class Picture:
    """An image that faces show. uid: Blender's `session_uid`. name: its file's, or its own."""

    uid: int
    name: str

    @property
    def is_missing(self) -> str:
        """The warning for one without pixels."""
        return f"The image '{self.name}' has no pixels to read, so the material's plain colour is used."


@dataclass(frozen=True)
class Surface:
    """What the evaluated mesh itself tells. P faces, C face corners, N vertices.

    names, looks, pictures: of the object's material slots; pictures only of slots that have faces, else None.
    face_material (P,) int32: the slot of every face. corner_uv (C, 2) float32 or None.
    vertex_colour (N, 3) float32 sRGB or None; is_fallback: it counts only where no material has a texture.
    """

    names: tuple[str, ...]
    looks: tuple[Look, ...]
    pictures: tuple[Picture | None, ...]
    face_material: np.ndarray
    corner_uv: np.ndarray | None
    vertex_colour: np.ndarray | None
    is_fallback: bool


@dataclass(frozen=True)
class Looks:
    """materials: one per slot, without their textures. The rest as in Surface, None where it does not count."""

    materials: tuple[Material, ...]
    corner_uv: np.ndarray | None
    vertex_colour: np.ndarray | None


def read_surface(mesh: Any, obj: Any) -> Surface:
    """Reads materials of an evaluated object's slots and its mesh's attributes, but no pixels. Never raises."""
    slots = [slot.material for slot in obj.material_slots] or [None]
    looks = tuple(trace_material(material) for material in slots)
    face_material = np.clip(_face_material(mesh), 0, len(slots) - 1)
    corner_material = face_material[_corner_faces(mesh)]
    used = set(np.unique(face_material).tolist())
    colour, is_fallback = _vertex_colour(mesh, looks, corner_material)
    return Surface(
        names=tuple(material.name if material else "none" for material in slots),
        looks=looks,
        pictures=tuple(_picture(look) if index in used else None for index, look in enumerate(looks)),
        face_material=face_material,
        corner_uv=_corner_uv(mesh, looks, corner_material) if any(look.image for look in looks) else None,
        vertex_colour=colour,
        is_fallback=is_fallback,
    )


def looks_of(surface: Surface, textured: Sequence[bool]) -> Looks:
    """textured: of each slot, whether its picture has pixels."""
    return Looks(
        materials=tuple(
            _material(name, look, has) for name, look, has in zip(surface.names, surface.looks, textured, strict=True)
        ),
        corner_uv=surface.corner_uv if any(textured) else None,
        vertex_colour=None if any(textured) and surface.is_fallback else surface.vertex_colour,
    )


def image_of(picture: Picture, images: Any) -> Any:
    """That one of Blender's images; None where it has gone."""
    return next((image for image in images if image.session_uid == picture.uid), None)


def _picture(look: Look) -> Picture | None:
    return Picture(look.image.session_uid, look.image.filepath or look.image.name) if look.image else None


def _material(name: str, look: Look, textured: bool) -> Material:
    colour = linear_to_srgb(look.colour if textured or look.image is None else look.colour_without_image)
    red, green, blue = (float(value) for value in colour.astype(np.float32))
    return Material(name, (red, green, blue, float(look.alpha)))


def _face_material(mesh: Any) -> np.ndarray:
    """(P,) int32: the material slot of every face."""
    slots = np.zeros(len(mesh.polygons), np.int32)
    attribute = mesh.attributes.get("material_index")  # missing where every face has the first
    if attribute is not None:
        attribute.data.foreach_get("value", slots)
    return slots


def _corner_faces(mesh: Any) -> np.ndarray:
    """(C,) int32: the face of every corner."""
    totals = np.diff(face_starts_of(mesh), append=len(mesh.loops))
    return np.repeat(np.arange(len(totals), dtype=np.int32), totals)


def _corner_uv(mesh: Any, looks: tuple[Look, ...], corner_material: np.ndarray) -> np.ndarray | None:
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


def _uv(layer: Any) -> np.ndarray:
    uv = np.empty((len(layer.uv), 2), np.float32)
    layer.uv.foreach_get("vector", uv.ravel())
    return uv


def _vertex_colour(mesh: Any, looks: tuple[Look, ...], corner_material: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """Colours from the attributes that materials show; else from the active one, and then True."""
    attributes = mesh.color_attributes
    shown = [_attribute(attributes, look.colour_attribute) for look in looks]
    is_fallback = not any(shown)
    if is_fallback:
        active = attributes.active_color
        if active is not None and active.name == DOUBT:  # a map that is laid over the mesh is no colour of its own
            active = attributes.get(str(mesh.get(COLOUR_BEFORE_DOUBT, "")))
        if active is None:
            return None, True
        shown = [active] * len(looks)
    corner_vertices = corner_vertices_of(mesh)
    colours = np.ones((len(corner_vertices), 3), np.float32)
    for index, attribute in enumerate(shown):
        if attribute is not None:
            chosen = corner_material == index
            colours[chosen] = _corner_colours(attribute, corner_vertices)[chosen]
    return _mean_at_vertices(colours, corner_vertices, len(mesh.vertices)), is_fallback


def _attribute(attributes: Any, name: str | None) -> Any:
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


def _corner_colours(attribute: Any, corner_vertices: np.ndarray) -> np.ndarray:
    """(C, 3) float32 sRGB: Blender keeps byte colours in sRGB and shows them as linear; `color_srgb` is the former."""
    colours = np.empty((len(attribute.data), 4), np.float32)
    attribute.data.foreach_get("color_srgb", colours.ravel())
    shown: np.ndarray = np.clip(colours[:, :3], 0, 1)
    return shown[corner_vertices] if attribute.domain == "POINT" else shown
