"""Tells which of an object's modifiers an animation takes the place of, those before the first that changes
topology, and whether it can look right with the others on top.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.inside_blender.mesh.surface import corner_vertices_of, face_starts_of, positions_of

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
# Those of MOVING that put a mesh into a pose; the others only shape its surface.
POSING = {
    "ARMATURE", "CLOTH", "CURVE", "HOOK", "LAPLACIANDEFORM", "LATTICE", "MESH_CACHE", "MESH_DEFORM", "SIMPLE_DEFORM",
    "SOFT_BODY", "SURFACE_DEFORM", "WARP", "WAVE",
}  # fmt: skip
STILL_ENOUGH = 1e-4  # of the object's size: moves by less are no pose
LARGEST_GROWTH = 0.08  # of the object's size, on any side; thick shells and subdivision stay below, mirrors do not
PLACING = ("location", "rotation", "scale", "delta_")  # how paths begin of properties that move an object
LARGEST_LOSS = 0.3  # of the object's size, on any side; subdividing a cube takes off 0.08


def leading_count(obj: bpy.types.Object) -> int:
    """How many modifiers, from the first, keep the mesh's topology: an animation is put right after these.

    Geometry nodes may do either; they are tried out on the object as it is now. What is switched off, and is not
    switched on by keys or drivers, does nothing.
    """
    for index, modifier in enumerate(obj.modifiers):
        if modifier.type in MOVING | STILL or not _may_be_on(obj, modifier):
            continue
        if modifier.type == "NODES" and modifier.show_viewport and _keeps_topology(obj, index + 1):
            continue
        return index
    return len(obj.modifiers)


def moving_modifiers(obj: bpy.types.Object, count: int) -> list[bpy.types.Modifier]:
    """Those of the first `count` modifiers that move vertices and are switched on, now or at other frames."""
    leading = list(obj.modifiers)[:count]
    return [m for m in leading if m.type not in STILL and _may_be_on(obj, m)]


def _may_be_on(obj: bpy.types.Object, modifier: bpy.types.Modifier) -> bool:
    return modifier.show_viewport or modifier.show_render or bool(fcurves.deciding(obj, switches_of([modifier])))


@contextlib.contextmanager
def only_leading(obj: bpy.types.Object, count: int) -> Iterator[None]:
    """Switches off all but the first `count` modifiers in the viewport, and puts the switches back afterwards."""
    with _switched_off(obj, list(obj.modifiers)[count:]):
        yield


@contextlib.contextmanager
def _switched_off(obj: bpy.types.Object, modifiers: Sequence[bpy.types.Modifier]) -> Iterator[None]:
    """Also where keys or drivers would switch them on."""
    off = [modifier for modifier in modifiers if modifier.show_viewport]
    with fcurves.muted(obj, switches_of(modifiers)):
        for modifier in off:
            modifier.show_viewport = False
        try:
            yield
        finally:
            for modifier in off:
                modifier.show_viewport = True


def switches_of(modifiers: Iterable[bpy.types.Modifier]) -> list[str]:
    """The data paths by which keys and drivers switch these modifiers."""
    names = [bpy.utils.escape_identifier(modifier.name) for modifier in modifiers]
    return [f'modifiers["{name}"].{switch}' for name in names for switch in ("show_viewport", "show_render")]


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
            put_back.enter_context(fcurves.muted(obj, ["hide_viewport"]))
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


def check_shown(obj: bpy.types.Object, count: int) -> tuple[str, ...]:
    """Looks at the modifiers after the first `count`, which stay on top of an animation; returns warnings.

    Raises Motion324Error: "modifier-poses-late" where one of them moves the mesh into another pose, which would come on
    top of the animation; "modifier-adds-parts" where the mesh below them is not what the video can show.
    """
    later = [modifier for modifier in list(obj.modifiers)[count:] if modifier.show_viewport]
    if not later:
        return ()
    shown = _shown(obj)
    with only_leading(obj, count):
        base = _shown(obj)
    if not (len(shown) and np.isfinite(base).all()):
        return ()  # of a mesh with places that are no numbers its reading tells more
    size = max(float(np.ptp(base, axis=0).max()), 1e-30)
    warnings = []
    for modifier in later:
        if modifier.type in POSING:
            _check_pose(obj, modifier, shown, later[0], size)
            warnings.append(
                f"'{modifier.name}' of '{obj.name}' comes after '{later[0].name}', so what it does later is added to "
                "the animation."
            )
    growth = max((base.min(axis=0) - shown.min(axis=0)).max(), (shown.max(axis=0) - base.max(axis=0)).max()) / size
    if growth > LARGEST_GROWTH:
        names = ", ".join(f"'{modifier.name}'" for modifier in later)
        raise Motion324Error(
            "modifier-adds-parts",
            f"The mesh of '{obj.name}' is only a part of what the object shows: its modifiers {names} add the rest, "
            "and the video cannot be matched with a part.",
            "Apply the modifier that adds parts (such as Mirror or Array), or switch it off, then animate.",
            EXIT_BAD_MESH,
        )
    loss = max((shown.min(axis=0) - base.min(axis=0)).max(), (base.max(axis=0) - shown.max(axis=0)).max()) / size
    if loss > LARGEST_LOSS:
        warnings.append(
            f"The modifiers of '{obj.name}' hide a part of its mesh; the video is matched with the whole mesh."
        )
    return tuple(warnings)


def motion_of_its_own(obj: bpy.types.Object) -> tuple[str, ...]:
    """A warning where the object, or one of its parents, moves besides its mesh."""
    movers = []
    parent: bpy.types.Object | None = obj
    while parent is not None:
        drivers = parent.animation_data.drivers if parent.animation_data else ()
        animated = any(curve.data_path.startswith(PLACING) for curve in (*fcurves.curves_of(parent), *drivers))
        animated = animated or _has_strips(parent)
        constrained = any(not constraint.mute for constraint in parent.constraints)
        hangs = parent.parent is not None and parent.parent_type in ("BONE", "VERTEX", "VERTEX_3")
        if animated or constrained or hangs:
            movers.append(parent)
        parent = parent.parent
    if not movers:
        return ()
    whose = "has a motion of its own" if movers[0] == obj else f"follows '{movers[0].name}'"
    return (f"'{obj.name}' {whose}, which stays and is added to the motion from the video.",)


def _has_strips(obj: bpy.types.Object) -> bool:
    """Whether the object has actions in the NLA editor that are not muted."""
    tracks = obj.animation_data.nla_tracks if obj.animation_data else ()
    return any(not track.mute and any(not strip.mute for strip in track.strips) for track in tracks)


def _check_pose(
    obj: bpy.types.Object, modifier: bpy.types.Modifier, shown: np.ndarray, first: bpy.types.Modifier, size: float
) -> None:
    with _switched_off(obj, [modifier]):
        without = _shown(obj)
    if without.shape == shown.shape and np.abs(without - shown).max() <= STILL_ENOUGH * size:
        return
    raise Motion324Error(
        "modifier-poses-late",
        f"'{modifier.name}' poses '{obj.name}' after '{first.name}' has changed its vertices, so an animation of the "
        "mesh would be posed a second time.",
        f"Move '{modifier.name}' above '{first.name}', apply '{first.name}', or put the pose back to rest.",
        EXIT_BAD_MESH,
    )


def _shown(obj: bpy.types.Object) -> np.ndarray:
    """(N, 3) float32, object space: with the modifiers that are switched on in the viewport."""
    with evaluated_mesh(obj) as mesh:
        return positions_of(mesh)
