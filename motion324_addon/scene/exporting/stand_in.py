"""What exporters are handed: objects and pictures as they understand them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import bpy
import numpy as np

from ..playing import shape_keys
from ..playing.timing import Timing
from . import sampling


@contextlib.contextmanager
def images_as_files(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Gives a temporary file to every packed, generated or painted picture of the objects' materials.

    Pictures that GLB files bring along are of this kind. Their paths are put back at the end.
    """
    before: list[tuple[bpy.types.Image, str]] = []
    with tempfile.TemporaryDirectory(prefix="motion324-images-") as folder:
        try:
            for number, image in enumerate(images_of(objects)):
                has_file = image.filepath and Path(bpy.path.abspath(image.filepath)).is_file()
                if (has_file and not image.packed_file) or not (image.packed_file or image.has_data):
                    continue
                path = Path(folder) / f"{number:03d}_{bpy.path.clean_name(Path(image.name).stem)}.png"
                if not image.packed_file:
                    _save_copy(image, path)
                before.append((image, image.filepath_raw))
                image.filepath_raw = str(path)  # of a packed picture only the name is used
            yield
        finally:
            for image, path in before:
                image.filepath_raw = path


def _save_copy(image: bpy.types.Image, path: Path) -> None:
    """As a PNG; `Image.save` itself would make the picture one that lies in that file, in 4.2 always."""
    width, height = image.size
    copy = bpy.data.images.new(image.name, width, height, alpha=True)
    try:
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        copy.pixels.foreach_set(pixels)
        copy.filepath_raw, copy.file_format = str(path), "PNG"
        copy.save()
    finally:
        bpy.data.images.remove(copy)


def images_of(objects: Sequence[bpy.types.Object]) -> list[bpy.types.Image]:
    """All pictures that nodes of the objects' materials show, through groups, each once."""
    trees = [slot.material.node_tree for obj in objects for slot in obj.material_slots if slot.material]
    found: dict[str, bpy.types.Image] = {}
    seen = set()
    while trees:
        tree = trees.pop()
        if tree is None or tree in seen:
            continue
        seen.add(tree)
        for node in tree.nodes:
            if node.type == "TEX_IMAGE" and node.image:
                found[node.image.name_full] = node.image
            elif node.type == "GROUP":
                trees.append(node.node_tree)
    return list(found.values())


Report = Callable[[int, int], None]


@contextlib.contextmanager
def stand_in(obj: bpy.types.Object, first: int, last: int, report: Report) -> Iterator[bpy.types.Object]:
    """A copy of the object, with its name, animated over the scene's frames first..last.

    Materials, texture coordinates, vertex groups, the object's own motion and its parent are those of the object.
    Modifiers that change topology are not part of it. Names are put back at the end.
    """
    frames = last - first + 1
    positions = np.empty((frames, len(obj.data.vertices), 3), np.float32)
    for frame, sample in sampling.sample_positions(obj, first, last):
        positions[frame - first] = sample
        report(frame - first + 1, frames)
    name, mesh_name = obj.name, obj.data.name
    copy, mesh = obj.copy(), obj.data.copy()
    try:
        copy.data = mesh
        _strip(copy, positions[0])
        bpy.context.scene.collection.objects.link(copy)
        obj.name, obj.data.name = f"{name}.original", f"{mesh_name}.original"
        copy.name, mesh.name = name, mesh_name
        for _ in shape_keys.bake(copy, positions, Timing(float(first), 1.0, frames)):
            pass
        yield copy
    finally:
        _remove(copy, mesh)
        obj.name, obj.data.name = name, mesh_name


@contextlib.contextmanager
def only_selected(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Selects these objects alone and makes the first active; puts the selection back at the end."""
    layer = bpy.context.view_layer
    selected, active = [other for other in layer.objects if other.select_get()], layer.objects.active
    hidden = [obj.hide_get() for obj in objects]
    for other in selected:
        other.select_set(False)
    for obj in objects:
        obj.hide_set(False)
        obj.select_set(True)
    layer.objects.active = objects[0]
    try:
        yield
    finally:
        for obj, was_hidden in zip(objects, hidden, strict=True):
            obj.select_set(False)
            obj.hide_set(was_hidden)
        for other in selected:
            other.select_set(True)
        layer.objects.active = active


def _strip(copy: bpy.types.Object, pose: np.ndarray) -> None:
    """Removes modifiers and shape keys, and puts the mesh into the first frame's pose."""
    copy.modifiers.clear()
    copy.hide_viewport = False
    mesh = copy.data
    if mesh.shape_keys:
        copy.shape_key_clear()
    mesh.vertices.foreach_set("co", np.ascontiguousarray(pose).ravel())
    mesh.update()


def _remove(copy: bpy.types.Object, mesh: bpy.types.Mesh) -> None:
    keys = mesh.shape_keys
    action = keys.animation_data.action if keys and keys.animation_data else None
    bpy.data.objects.remove(copy)
    bpy.data.meshes.remove(mesh)
    if action is not None and action.users == 0:
        bpy.data.actions.remove(action)
