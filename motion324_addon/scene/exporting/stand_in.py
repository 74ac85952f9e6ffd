"""An object that exporters understand: the animation as shape keys, and nothing else that moves vertices.

FBX and glTF carry shape keys but no point caches, and drop shape keys of objects that have modifiers. So an export
samples what the object shows, bakes that onto a copy, and removes the copy afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import bpy
import numpy as np

from ..playing import shape_keys
from ..playing.timing import Timing
from . import sampling

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
