"""Makes what exporters are handed: objects and pictures as they understand them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import bpy
import numpy as np

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.inside_blender.mesh.surface import positions_of

from ..playing import shape_keys
from ..playing.timing import Timing
from ..reading import modifier_stack
from . import sampling
from .picture_file import whole_picture
from .placing import metres_per_unit, parents_of, placing_of, put


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
        with whole_picture(path):
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
# By the format that can: when the other one cannot write a mesh whose topology changes.
_SELDOM = {
    "Alembic": "Blender's USD exporter can write only from frame 0 on, where Blender's unit is a metre, and no size "
    "is 0",
    "USD": "Blender's Alembic exporter can write only where neither parents nor constraints shear it, and no size is 0",
}


@contextlib.contextmanager
def stand_in(
    obj: bpy.types.Object, first: int, last: int, start: int, report: Report, whole_or: str = ""
) -> Iterator[bpy.types.Object]:
    """A copy of the object, with its name, in metres, that shows the scene's frames first..last from `start` on.

    Materials, texture coordinates and vertex groups are those of the object; whatever moves it in the world has become
    keys of its own, see `placing`. Names are put back at the end.
    whole_or: if given, all modifiers are part of it, also those that change topology. Raises Motion324Error(
    "export-changing-topology") where it changes within these frames, which names this other format as the remedy.
    """
    frames = last - first + 1
    copy = obj.copy()
    try:
        copy.data = _mesh_of(obj, first) if whole_or else obj.data.copy()
        _strip(copy)
        positions = np.empty((frames, len(copy.data.vertices), 3), np.float32)
        matrices = np.empty((frames, 4, 4))
        if whole_or:
            samples = _shown_whole(obj, copy.data, first, last, whole_or)
        else:
            samples = sampling.sample_positions(obj, first, last)
        with contextlib.closing(samples):  # which puts the scene back, also where `report` raises
            for index, (_, sample) in enumerate(samples):
                positions[index], matrices[index] = sample, obj.matrix_world
                report(index + 1, frames)
        placing = placing_of(matrices, metres_per_unit(bpy.context.scene))
        placing.shear_vertices(positions)
        copy.data.vertices.foreach_set("co", positions[0].ravel())
        copy.data.update()
        put(copy, placing, start)
        bpy.context.scene.collection.objects.link(copy)
        with _name_of(copy, obj), _name_of(copy.data, obj.data):
            for _ in shape_keys.bake(copy, positions, Timing(float(start), 1.0, frames)):
                pass
            yield copy
    finally:
        _remove(copy, obj)


@contextlib.contextmanager
def still_copy(obj: bpy.types.Object, positions: np.ndarray) -> Iterator[bpy.types.Object]:
    """A copy of the object, with its name, that nothing moves: its vertices are at positions (N, 3) in the world. Names
    are put back at the end."""
    copy = obj.copy()
    try:
        copy.data = obj.data.copy()
        _strip(copy)
        copy.data.vertices.foreach_set("co", positions.ravel())
        copy.data.update()
        put(copy, placing_of(np.eye(4)[None]), 0)
        bpy.context.scene.collection.objects.link(copy)
        with _name_of(copy, obj), _name_of(copy.data, obj.data):
            yield copy
    finally:
        _remove(copy, obj)


def _mesh_of(obj: bpy.types.Object, frame: int) -> bpy.types.Mesh:
    """A copy of what the viewport shows of the object at that frame, with all modifiers."""
    scene = bpy.context.scene
    before = scene.frame_current, scene.frame_subframe
    with modifier_stack.switched_on([obj]):
        scene.frame_set(frame)
        try:
            graph = bpy.context.evaluated_depsgraph_get()
            return bpy.data.meshes.new_from_object(
                obj.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph
            )
        finally:
            scene.frame_set(before[0], subframe=before[1])


def _shown_whole(
    obj: bpy.types.Object, mesh: bpy.types.Mesh, first: int, last: int, otherwise: str
) -> Generator[tuple[int, np.ndarray], None, None]:
    """As `sampling.sample_positions`, with all modifiers; the topology has to stay that of `mesh`."""
    with contextlib.closing(sampling.shown_meshes(obj, range(first, last + 1))) as meshes:
        for frame, shown in meshes:
            if not modifier_stack.same_topology(mesh, shown):
                raise _changing(obj, frame, otherwise)
            yield frame, positions_of(shown)


def _changing(obj: bpy.types.Object, frame: int, otherwise: str) -> Motion324Error:
    linked = next((each.name for each in parents_of(obj) if each.library), None)
    if linked is None:
        why, hint = _SELDOM[otherwise], f"Use {otherwise} instead."
    else:
        why = f"cannot be written while it hangs on '{linked}', which is linked from another file"
        hint = f"Make '{linked}' local (Object > Relations > Make Local)."
    sentence = f"The vertices or faces of '{obj.name}' change at frame {frame}, which {why}."
    return Motion324Error("export-changing-topology", sentence, hint, EXIT_CANNOT_WRITE)


@contextlib.contextmanager
def _name_of(copy: bpy.types.ID, original: bpy.types.ID) -> Iterator[None]:
    """Lends the copy the name of the original. One from another file keeps it beside any of this file."""
    name = original.name
    if original.library is None:
        original.name = f"{name}.original"
    copy.name = name
    try:
        yield
    finally:
        copy.name = f"{name}.copy"
        if original.library is None:
            original.name = name


@contextlib.contextmanager
def only_selected(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Selects these objects alone and makes the first active; puts the selection back at the end."""
    layer = bpy.context.view_layer
    selected, active = [other for other in layer.objects if other.select_get()], layer.objects.active
    hidden = [(obj.hide_get(), obj.hide_select) for obj in objects]
    for other in selected:
        other.select_set(False)
    try:
        with modifier_stack.switched_on(objects):
            for obj in objects:
                obj.hide_select = False
                obj.hide_set(False)
                obj.select_set(True)
            layer.objects.active = objects[0]
            yield
    finally:
        for obj, (was_hidden, was_unselectable) in zip(objects, hidden, strict=True):
            obj.select_set(False)
            obj.hide_set(was_hidden)
            obj.hide_select = was_unselectable
        for other in selected:
            other.select_set(True)
        layer.objects.active = active


def _strip(copy: bpy.types.Object) -> None:
    """Removes modifiers and shape keys."""
    copy.modifiers.clear()
    copy.hide_viewport = copy.hide_select = False
    shape_keys.clear_keys(copy)


def _remove(copy: bpy.types.Object, obj: bpy.types.Object) -> None:
    mesh = copy.data
    keys = mesh.shape_keys if mesh != obj.data else None
    animations = [owner.animation_data for owner in (copy, keys) if owner is not None]
    actions = {animation.action for animation in animations if animation and animation.action}
    bpy.data.objects.remove(copy)
    if mesh != obj.data:
        bpy.data.meshes.remove(mesh)
    for action in actions:
        if action.users == 0:
            bpy.data.actions.remove(action)
