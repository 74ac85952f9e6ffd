"""Which of an object's modifiers an animation takes the place of: those before the first that changes topology."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import bpy
import numpy as np

from motion324.core.blender_mesh.surface import corner_vertices_of, face_starts_of

from ..playing import fcurves

# Move vertices, keep their number and order.
MOVING = {
    "ARMATURE", "CAST", "CLOTH", "CORRECTIVE_SMOOTH", "CURVE", "DISPLACE", "HOOK", "LAPLACIANDEFORM",
    "LAPLACIANSMOOTH", "LATTICE", "MESH_CACHE", "MESH_DEFORM", "SHRINKWRAP", "SIMPLE_DEFORM", "SMOOTH", "SOFT_BODY",
    "SURFACE_DEFORM", "WARP", "WAVE",
}  # fmt: skip
# Leave vertices where they are.
STILL = {
    "COLLISION", "DATA_TRANSFER", "DYNAMIC_PAINT", "NORMAL_EDIT", "PARTICLE_SYSTEM", "SURFACE", "UV_PROJECT", "UV_WARP",
    "VERTEX_WEIGHT_EDIT", "VERTEX_WEIGHT_MIX", "VERTEX_WEIGHT_PROXIMITY", "WEIGHTED_NORMAL",
}  # fmt: skip


def leading_count(obj: bpy.types.Object) -> int:
    """How many modifiers, from the first, keep the mesh's topology: an animation is put right after these.

    Geometry nodes may do either; they are tried out on the object as it is now. What is switched off does nothing.
    """
    for index, modifier in enumerate(obj.modifiers):
        if modifier.type in MOVING | STILL or not (modifier.show_viewport or modifier.show_render):
            continue
        if modifier.type == "NODES" and modifier.show_viewport and _keeps_topology(obj, index + 1):
            continue
        return index
    return len(obj.modifiers)


def moving_modifiers(obj: bpy.types.Object, count: int) -> list[bpy.types.Modifier]:
    """Those of the first `count` modifiers that move vertices and are switched on."""
    leading = list(obj.modifiers)[:count]
    return [m for m in leading if m.type not in STILL and (m.show_viewport or m.show_render)]


@contextlib.contextmanager
def only_leading(obj: bpy.types.Object, count: int) -> Iterator[None]:
    """Switches off all but the first `count` modifiers in the viewport, and puts the switches back afterwards."""
    off = [m for m in list(obj.modifiers)[count:] if m.show_viewport]
    for modifier in off:
        modifier.show_viewport = False
    try:
        yield
    finally:
        for modifier in off:
            modifier.show_viewport = True


@contextlib.contextmanager
def evaluated_mesh(obj: bpy.types.Object) -> Iterator[bpy.types.Mesh]:
    """The object's mesh as the viewport shows it now, or would show it where it is switched off there: shape keys and
    modifiers applied. Valid within the block only.
    """
    with switched_on([obj]):
        bpy.context.view_layer.update()
        evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = evaluated.to_mesh()
        try:
            yield mesh
        finally:
            evaluated.to_mesh_clear()


@contextlib.contextmanager
def switched_on(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Has Blender evaluate objects for a while that are switched off in the viewport, by themselves, by a collection or
    by their animation: without that they have no modifiers, and stay where they were when the file was opened.

    Objects that are only hidden (by an eye in the Outliner) are evaluated anyway. All switches are put back.
    """
    root = bpy.context.scene.collection
    with contextlib.ExitStack() as put_back:
        for obj in objects:
            if _is_evaluated(obj):
                continue
            for curve in fcurves.curves_of(obj):
                if curve.data_path == "hide_viewport" and not curve.mute:
                    curve.mute = True
                    put_back.callback(setattr, curve, "mute", False)
            put_back.callback(setattr, obj, "hide_viewport", obj.hide_viewport)
            obj.hide_viewport = False
            if not _is_evaluated(obj) and root not in obj.users_collection:
                root.objects.link(obj)  # which nothing switches off
                put_back.callback(root.objects.unlink, obj)
        yield


def _is_evaluated(obj: bpy.types.Object) -> bool:
    if obj.hide_viewport:
        return False
    return bool(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).is_evaluated)


def same_topology(one: bpy.types.Mesh, other: bpy.types.Mesh) -> bool:
    """Whether both have the same vertices (not their places), faces and corners in the same order."""
    return (
        len(one.vertices) == len(other.vertices)
        and np.array_equal(corner_vertices_of(one), corner_vertices_of(other))
        and np.array_equal(face_starts_of(one), face_starts_of(other))
    )


def _keeps_topology(obj: bpy.types.Object, count: int) -> bool:
    with only_leading(obj, count), evaluated_mesh(obj) as mesh:
        return same_topology(mesh, obj.data)
