"""Runs inside Blender, or a Python that has bpy: writes the meshes of an FBX or .blend file to an .npz file.

Not part of the backend's own process: motion324.blender.blender_reading starts it with the arguments
SOURCE TARGET LONGEST_TEXTURE_SIDE. It works with Blender 4.2 to 5.x; motion324.blender.blender_launcher
runs it.

The .npz holds positions (N, 3), faces (F, 3), corner_uv (F, 3, 2), vertex_colour (N, 3), face_material (F,),
base_colours (M, 4), texture_K (H, W, 4) uint8 for materials with an image, and `header`: JSON in UTF-8 with the names
of parts and materials and whether there are texture coordinates and vertex colours. What a mesh and its materials look
like is read as the add-on reads it, by motion324.core.inside_blender.mesh.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.inside_blender.mesh.image_pixels import read_pixels
from motion324.core.inside_blender.mesh.surface import (
    Picture,
    image_of,
    looks_of,
    positions_of,
    read_surface,
    triangles_of,
)
from motion324.core.reference_mesh import Material


@dataclass(frozen=True)
class Part:
    """One object in world space: N vertices, F triangles; materials by their places in the file's list."""

    name: str
    positions: np.ndarray
    faces: np.ndarray
    face_material: np.ndarray
    corner_uv: np.ndarray | None
    vertex_colour: np.ndarray | None


def main(source: str, target: str, longest_side: str) -> None:
    import bpy

    if source.lower().endswith(".blend"):
        bpy.ops.wm.open_mainfile(filepath=source, load_ui=False, use_scripts=False)
    else:
        bpy.ops.wm.read_homefile(use_empty=True)
        if not hasattr(bpy.types, "IMPORT_SCENE_OT_fbx"):
            import addon_utils  # type: ignore[import-not-found]  # Blender's own

            addon_utils.enable("io_scene_fbx")
        bpy.ops.import_scene.fbx(filepath=source)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    materials = Materials(bpy.data.images, int(longest_side))
    parts = [part for part in (read_object(item, materials) for item in visible_meshes(bpy, depsgraph)) if part]
    if not parts:
        raise RuntimeError("it holds no visible mesh object with faces")
    offsets = np.cumsum([0] + [len(part.positions) for part in parts])
    arrays: dict[str, Any] = {
        "positions": np.concatenate([part.positions for part in parts]),
        "faces": np.concatenate([part.faces + offset for part, offset in zip(parts, offsets, strict=False)]),
        "face_material": np.concatenate([part.face_material for part in parts]),
        "corner_uv": np.concatenate([_or_filled(part.corner_uv, (len(part.faces), 3, 2), 0.0) for part in parts]),
        "vertex_colour": np.concatenate([_or_filled(part.vertex_colour, part.positions.shape, 1.0) for part in parts]),
        "base_colours": np.array([material.base_colour for material in materials.listed], np.float32),
    }
    for index, material in enumerate(materials.listed):
        if material.texture is not None:
            arrays[f"texture_{index}"] = material.texture
    header = {
        "parts": [part.name for part in parts],
        "materials": [material.name for material in materials.listed],
        "has_uv": any(part.corner_uv is not None for part in parts),
        "has_colour": any(part.vertex_colour is not None for part in parts),
        "frame": bpy.context.scene.frame_current,
        "blender": bpy.app.version_string,
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode("utf-8"), np.uint8)
    np.savez(target, **arrays)


def visible_meshes(bpy: Any, depsgraph: Any) -> list[tuple[str, Any, np.ndarray]]:
    """(name, evaluated object, matrix to world): objects in the order of their creation, which is the file's order;
    then what collections and geometry nodes instance."""
    order: dict[str, tuple[int, int]] = {}
    for number, item in enumerate(bpy.context.view_layer.objects):
        order[item.name_full] = (getattr(item, "session_uid", getattr(item, "session_uuid", number)), number)
    real, instances = [], []
    for instance in depsgraph.object_instances:
        item = instance.object
        if item.type != "MESH" or not instance.show_self:
            continue
        entry = (item.name, item, np.array(instance.matrix_world, np.float64))
        if instance.is_instance:
            instances.append((item.name, item.original.evaluated_get(depsgraph), entry[2]))
        elif item.original.visible_get():
            real.append((order.get(item.original.name_full, (0, 0)), (item.name, item.original, entry[2])))
    real.sort(key=lambda pair: pair[0])
    return [(name, item.evaluated_get(depsgraph), matrix) for _, (name, item, matrix) in real] + instances


def read_object(entry: tuple[str, Any, np.ndarray], materials: "Materials") -> Part | None:
    """The evaluated object; None where it has no faces."""
    name, item, matrix = entry
    mesh = item.to_mesh()
    try:
        if not len(mesh.polygons):
            return None
        positions = positions_of(mesh).astype(np.float64)
        triangles = triangles_of(mesh, np.linalg.det(matrix[:3, :3]) < 0)
        surface = read_surface(mesh, item)
    finally:
        item.to_mesh_clear()
    textures = [materials.texture(picture) for picture in surface.pictures]
    looks = looks_of(surface, [texture is not None for texture in textures])
    places = materials.places(looks.materials, textures)
    return Part(
        name=name,
        positions=(positions @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32),
        faces=triangles.faces,
        face_material=places[surface.face_material[triangles.polygons]],
        corner_uv=None if looks.corner_uv is None else looks.corner_uv[triangles.corners],
        vertex_colour=looks.vertex_colour,
    )


class Materials:
    """The materials of all objects, each once, in the order of first use, and their pictures, each read once."""

    def __init__(self, images: Any, longest_side: int) -> None:
        self.listed: list[Material] = []
        self._images = images
        self._longest_side = longest_side
        self._places: dict[tuple[str, tuple[float, ...], int], int] = {}
        self._textures: dict[int, np.ndarray | None] = {}

    def places(self, materials: tuple[Material, ...], textures: list[np.ndarray | None]) -> np.ndarray:
        """(S,) int32: where the materials of an object's S slots stand in the list."""
        places = []
        for material, texture in zip(materials, textures, strict=True):
            key = (material.name, material.base_colour, id(texture))
            if key not in self._places:
                self._places[key] = len(self.listed)
                self.listed.append(Material(material.name, material.base_colour, texture))
            places.append(self._places[key])
        return np.array(places, np.int32)

    def texture(self, picture: Picture | None) -> np.ndarray | None:
        """(H, W, 4) uint8 sRGB with row 0 on top, or None where there is none or the image's file is missing."""
        if picture is None:
            return None
        if picture.uid not in self._textures:
            *_, pixels = read_pixels(image_of(picture, self._images))
            if pixels is None:
                print(f"motion324-warning: {picture.is_missing}", file=sys.stderr)
            self._textures[picture.uid] = None if pixels is None else pixels.to_picture(self._longest_side)
        return self._textures[picture.uid]


def _or_filled(values: np.ndarray | None, shape: tuple[int, ...], value: float) -> np.ndarray:
    return values if values is not None else np.full(shape, value, np.float32)
