"""The one rig of a file that Blender has opened: its armature, and all meshes that hang on it, as one skin.

For scripts that run in Blender without the add-on; the add-on reads what an artist has selected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.inside_blender.mesh.surface import positions_of
from motion324.core.inside_blender.rig.armature_reading import ReadArmature, read_armature, warnings_of
from motion324.core.inside_blender.rig.binding import bind
from motion324.core.inside_blender.rig.skin_reading import armature_modifier, read_skin
from motion324.core.rigs.rig import Skin


@dataclass(frozen=True)
class SceneRig:
    """objects: the meshes, in the file's order. shown (N, 3) float32: their vertices in the world, as the current frame
    has them. to_world (4, 4): of the armature.
    """

    armature_object: Any
    objects: list[Any]
    read: ReadArmature
    skin: Skin
    shown: np.ndarray
    to_world: np.ndarray
    warnings: tuple[str, ...]


def read_scene_rig(bpy: Any, source: str, named: str = "") -> SceneRig:
    """named: the armature that is meant, where the file has several; meshes that do not hang on it are left out.

    Raises Motion324Error: "no-armature", "several-armatures", or what reading armature and skin raises.
    """
    skinned = [each for each in bpy.context.view_layer.objects if each.type == "MESH" and _armatures_of(each)]
    if named:
        known = sorted({name for each in skinned for name in _armatures_of(each)})
        skinned = [each for each in skinned if named in _armatures_of(each)]
        if not skinned:
            raise Motion324Error(
                "no-armature",
                f"'{source}' has no mesh that hangs on an armature '{named}'.",
                f"Name one of {', '.join(known)}." if known else "Have a rig made: leave --onto out.",
                EXIT_BAD_MESH,
            )
    if not skinned:
        raise Motion324Error(
            "no-armature",
            f"'{source}' has no mesh with a skin, so there are no bones to key.",
            "Give a file with a rigged mesh, or have a rig made: leave --onto out.",
            EXIT_BAD_MESH,
        )
    for each in skinned:
        if each.parent_type == "ARMATURE":
            bind(each, each.parent)
    modifiers = [armature_modifier(each, named) for each in skinned]
    armatures = {modifier.object.name: modifier.object for modifier in modifiers}
    if len(armatures) > 1:
        names = ", ".join(f"'{name}'" for name in sorted(armatures))
        raise Motion324Error(
            "several-armatures",
            f"'{source}' has {len(armatures)} armatures with meshes ({names}).",
            "Name the one that is animated (--armature), or export it alone.",
            EXIT_BAD_MESH,
        )
    (armature,) = armatures.values()
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    read = read_armature(armature, armature.evaluated_get(graph))
    skins, shown = [], []
    warnings: list[str] = []
    for obj, modifier in zip(skinned, modifiers, strict=True):
        matrix = np.array(armature.matrix_world.inverted() @ obj.matrix_world, np.float64)
        found = read_skin(obj, modifier, read.armature, _before(bpy, obj, modifier), matrix)
        skins.append(found.skin)
        warnings += found.warnings
        world = np.array(obj.matrix_world, np.float64)
        shown.append(_shown(bpy, obj, list(obj.modifiers).index(modifier) + 1) @ world[:3, :3].T + world[:3, 3])
    warnings += warnings_of(armature, read)
    to_world = np.array(armature.matrix_world, np.float64)
    return SceneRig(
        armature, skinned, read, joined(skins), np.concatenate(shown).astype(np.float32), to_world, tuple(warnings)
    )


def joined(skins: list[Skin]) -> Skin:
    """The vertices of several skins, one after the other."""
    width = max(skin.joints.shape[1] for skin in skins)

    def wide(values: np.ndarray) -> np.ndarray:
        return np.pad(values, ((0, 0), (0, width - values.shape[1])))

    return Skin(
        np.concatenate([skin.positions for skin in skins]),
        np.concatenate([wide(skin.joints) for skin in skins]),
        np.concatenate([wide(skin.weights) for skin in skins]),
    )


def _armatures_of(obj: Any) -> set[str]:
    """The names of those that the mesh hangs on."""
    if not len(obj.data.polygons):
        return set()
    by_parent = {obj.parent.name} if obj.parent is not None and obj.parent_type == "ARMATURE" else set()
    return by_parent | {each.object.name for each in obj.modifiers if each.type == "ARMATURE" and each.object}


def _before(bpy: Any, obj: Any, modifier: Any) -> np.ndarray:
    return _shown(bpy, obj, list(obj.modifiers).index(modifier))


def _shown(bpy: Any, obj: Any, count: int) -> np.ndarray:
    """(N, 3), object space: with the first `count` modifiers only."""
    off = [each for each in list(obj.modifiers)[count:] if each.show_viewport]
    for each in off:
        each.show_viewport = False
    try:
        bpy.context.view_layer.update()
        evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = evaluated.to_mesh()
        try:
            return positions_of(mesh)
        finally:
            evaluated.to_mesh_clear()
    finally:
        for each in off:
            each.show_viewport = True
