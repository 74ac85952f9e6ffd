"""Keeps an animation as a rig of its own: an armature that the backend made from the motion, with its keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.inside_blender.mesh.surface import positions_of, triangles_of
from motion324.core.inside_blender.rig import keying
from motion324.core.inside_blender.rig.making import bind, make_armature
from motion324.core.rigs.rig import RiggedMotion, Skin

from ..playing import keeping, kept_note, point_cache, shape_keys
from ..playing.animation import Animation
from ..playing.kept_note import PutBack
from ..playing.takes import Written
from ..reading import modifier_stack
from ..reading.mesh_reading import check_own, check_topology
from .keeping_bones import Kept, longest_side, looked_at, said_of

SAME = 1e-3  # of the longest side: as far may a vertex of the mesh be from the result's first frame


@dataclass(frozen=True)
class Motion:
    """positions (T, N, 3) float32 of all objects, one after the other, with the world's axes, about `place`, the first
    object's. faces (F, 3) int32. to_world (3, 3) of each object: from its axes to the world's.
    """

    positions: np.ndarray
    faces: np.ndarray
    to_world: tuple[np.ndarray, ...]
    place: tuple[float, float, float]


def check_can_have_rig(obj: bpy.types.Object) -> None:
    """Raises Motion324Error("linked-object", "mesh-shared", "rig-deformed" or "rig-moves-apart")."""
    check_own(obj)
    shape_keys.check_single_user(obj)
    moving = [each.name for each in _moving(obj)]
    keys = obj.data.shape_keys
    own = keeping.kept_keys(obj)
    other_keys = [key.name for key in keys.key_blocks[1:] if key.name not in own and not key.mute] if keys else []
    if moving or other_keys:
        what = ", ".join(f"'{name}'" for name in (*moving, *other_keys)[:3])
        raise Motion324Error(
            "rig-deformed",
            f"'{obj.name}' is deformed by {what} already, and bones would come on top of that.",
            "Apply these modifiers or shape keys, keep the result on its own armature, or keep shape keys.",
            EXIT_BAD_MESH,
        )
    if obj.parent_type not in ("OBJECT", "BONE") or modifier_stack.motion_of_its_own(obj):
        raise Motion324Error(
            "rig-moves-apart",
            f"'{obj.name}' has a motion of its own, which an armature would not have.",
            "Remove that motion, or keep shape keys.",
            EXIT_BAD_MESH,
        )


def read_motion(animations: Sequence[Animation]) -> Motion:
    """Raises Motion324Error: what `check_can_have_rig` raises, "object-gone", "topology-changed", "rig-deformed"."""
    objects = [animation.target.get() for animation in animations]
    bpy.context.view_layer.update()
    place = np.array(objects[0].matrix_world.translation, np.float64)
    positions, faces, axes, first = [], [], [], 0
    for obj, animation in zip(objects, animations, strict=True):
        check_topology(obj, animation.topology)
        check_can_have_rig(obj)
        side = max(float(np.ptp(animation.positions[0], axis=0).max()), 1e-12)
        if np.abs(_bare(obj) - animation.positions[0]).max() > SAME * side:
            raise Motion324Error(
                "rig-deformed",
                f"The mesh of '{obj.name}' is not where the result begins, so bones cannot start from it.",
                "Animate it again as it is now, or keep shape keys.",
                EXIT_BAD_MESH,
            )
        matrix = np.array(obj.matrix_world, np.float64)
        turned = animation.positions.astype(np.float64) @ matrix[:3, :3].T + (matrix[:3, 3] - place)
        positions.append(turned.astype(np.float32))
        axes.append(matrix[:3, :3])
        faces.append(triangles_of(obj.data, False).faces + first)
        first += animation.positions.shape[1]
    x, y, z = (float(value) for value in place)
    return Motion(np.concatenate(positions, axis=1), np.concatenate(faces).astype(np.int32), tuple(axes), (x, y, z))


def keep_as_rig(
    animations: Sequence[Animation],
    motion: Motion,
    rigged: RiggedMotion,
    written: Sequence[Written | None],
    to_nla: bool = False,
) -> Kept:
    """Adds the armature, binds the objects to it and keys its bones, in place of animations that were kept before.

    written: the animations' takes, see `takes.write_all_in_steps`.
    Raises Motion324Error("object-gone") before anything is changed.
    """
    objects = [animation.target.get() for animation in animations]
    for obj in objects:
        keeping.remove_animation(obj)
    layer = bpy.context.view_layer
    active, selected = layer.objects.active, [each for each in layer.objects if each.select_get()]
    rigged = _named_apart(rigged, objects)
    for each in selected:
        each.select_set(False)
    armature = make_armature(bpy, f"{objects[0].name} Rig", rigged, motion.place)
    first = 0
    for obj in objects:
        count = len(obj.data.vertices)
        own = slice(first, first + count)
        skin = Skin(rigged.skin.positions[own], rigged.skin.joints[own], rigged.skin.weights[own])
        bind(obj, armature, skin, rigged.armature.names, modifier_stack.leading_count(obj))
        if obj.parent is None:
            _parent(obj, armature)
        first += count
    timing = animations[0].timing
    frames = [timing.frame(k) for k in range(timing.count)]
    name = keeping.action_name(animations[0])
    action = keying.write_keys(bpy, armature, rigged.armature, rigged.motion, frames, name)
    if to_nla:
        keying.push_down(armature, action)
    for each in selected:
        each.select_set(True)
    armature.select_set(False)
    layer.objects.active = active
    for obj, animation, take in zip(objects, animations, written, strict=True):
        point_cache.hide_preview(obj)
        kept_note.write(obj, animation, PutBack(made_armature=armature.name), take)
    bpy.context.scene.frame_end = max(bpy.context.scene.frame_end, timing.whole_frames[1])
    warnings = [warning["sentence"] for warning in rigged.motion.warnings]
    warnings += looked_at(objects, animations, rigged.motion, motion.to_world, longest_side(motion.positions))
    return Kept(action.name, f"'{armature.name}': {said_of(action, rigged.motion)}", tuple(warnings))


def _named_apart(rigged: RiggedMotion, objects: Sequence[bpy.types.Object]) -> RiggedMotion:
    """With bones whose names no vertex group of the objects has."""
    taken = {group.name for obj in objects for group in obj.vertex_groups}
    names = tuple(name if name not in taken else f"motion324.{name}" for name in rigged.armature.names)
    return dataclasses.replace(rigged, armature=dataclasses.replace(rigged.armature, names=names))


def _parent(obj: bpy.types.Object, armature: bpy.types.Object) -> None:
    """Without moving it."""
    bpy.context.view_layer.update()
    obj.parent = armature
    obj.matrix_parent_inverse = armature.matrix_world.inverted()


def _moving(obj: bpy.types.Object) -> list[bpy.types.Modifier]:
    """The modifiers that deform the mesh, but for those of an earlier result and the preview. Panels ask it: nothing is
    evaluated.
    """
    moving = [each for each in obj.modifiers if each.type in modifier_stack.MOVING and each.show_viewport]
    ours = keeping.kept_caches(obj)
    made = kept_note.read_put_back(obj).made_armature
    return [
        each
        for each in moving
        if each not in ours
        and not each.name.startswith(point_cache.PREVIEW)
        and not (made and each.type == "ARMATURE" and each.object and each.object.name == made)
    ]


def _bare(obj: bpy.types.Object) -> np.ndarray:
    """(N, 3): the mesh without modifiers."""
    return positions_of(obj.data)
