"""Which of an object's modifiers an animation takes the place of: those before the first that changes topology."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy
import numpy as np

from motion324.core.blender_mesh.geometry import corner_vertices_of, face_starts_of

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
    """The object's mesh as the viewport shows it now: shape keys and modifiers applied. Valid within the block only."""
    bpy.context.view_layer.update()
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    try:
        yield mesh
    finally:
        evaluated.to_mesh_clear()


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
