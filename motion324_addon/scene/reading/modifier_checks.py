"""Whether an animation of the mesh below an object's topology-changing modifiers can look right with them on top."""

from __future__ import annotations

import bpy
import numpy as np

from motion324.core.blender_mesh.surface import positions_of
from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

from ..playing import fcurves
from . import modifier_stack

# Those of modifier_stack.MOVING that put a mesh into a pose; the others only shape its surface.
POSING = {
    "ARMATURE", "CLOTH", "CURVE", "HOOK", "LAPLACIANDEFORM", "LATTICE", "MESH_CACHE", "MESH_DEFORM", "SIMPLE_DEFORM",
    "SOFT_BODY", "SURFACE_DEFORM", "WARP", "WAVE",
}  # fmt: skip
STILL_ENOUGH = 1e-4  # of the object's size: moves by less are no pose
LARGEST_GROWTH = 0.08  # of the object's size, on any side; thick shells and subdivision stay below, mirrors do not
PLACING = ("location", "rotation", "scale", "delta_")  # how paths begin of properties that move an object
LARGEST_LOSS = 0.3  # of the object's size, on any side; subdividing a cube takes off 0.08


def check_shown(obj: bpy.types.Object, count: int) -> tuple[str, ...]:
    """Looks at the modifiers after the first `count`, which stay on top of an animation; returns warnings.

    Raises Motion324Error: "modifier-poses-late" where one of them moves the mesh into another pose, which would come on
    top of the animation; "modifier-adds-parts" where the mesh below them is not what the video can show.
    """
    later = [modifier for modifier in list(obj.modifiers)[count:] if modifier.show_viewport]
    if not later:
        return ()
    shown = _shown(obj)
    with modifier_stack.only_leading(obj, count):
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
        on_bone = parent.parent is not None and parent.parent_type == "BONE"
        if animated or constrained or on_bone:
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
    modifier.show_viewport = False
    try:
        without = _shown(obj)
    finally:
        modifier.show_viewport = True
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
    with modifier_stack.evaluated_mesh(obj) as mesh:
        return positions_of(mesh)
