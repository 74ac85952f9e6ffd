"""Keeps an animation as keyframes on the bones of the objects' own armature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from motion324.core.inside_blender.mesh.surface import positions_of
from motion324.core.inside_blender.rig import binding, keying
from motion324.core.rigs.rig import RigMotion

from ..playing import keeping, kept_bones, kept_note, point_cache, shape_keys
from ..playing.animation import Animation
from ..playing.kept_note import PutBack
from ..playing.takes import Written
from ..reading import modifier_stack
from ..reading.joining import scene_at
from .own_rig import OwnRig

LOOKS = 5  # frames at which it is looked whether Blender shows what was computed
SAME = 2e-3  # of the longest side: mean difference up to which it does


@dataclass(frozen=True)
class Kept:
    """What a person is told. action: its name. warnings: one sentence each."""

    action: str
    said: str
    warnings: tuple[str, ...]


def keep_on_armature(
    animations: Sequence[Animation],
    rig: OwnRig,
    motion: RigMotion,
    written: Sequence[Written | None],
    to_nla: bool = False,
) -> Kept:
    """Keys the bones, in place of animations that were kept before.

    written: the animations' takes, see `takes.write_all_in_steps`. to_nla: the action becomes a strip in the NLA
    editor.
    Raises Motion324Error("object-gone") before anything is changed.
    """
    armature = rig.target.get()
    objects = [animation.target.get() for animation in animations]
    made = {obj.name: kept_note.read_put_back(obj).made_armature for obj in objects}
    for obj in objects:
        if made[obj.name] != armature.name:  # a rig that was made before is the object's own by now
            keeping.remove_animation(obj)
    keying.take_off(bpy, armature)
    bound = {obj.name: binding.bind(obj, armature) for obj in objects}
    timing = animations[0].timing
    frames = [timing.frame(k) for k in range(timing.count)]
    name = keeping.action_name(animations[0])
    action = keying.write_keys(bpy, armature, rig.read.armature, motion, frames, name)
    if to_nla:
        keying.push_down(armature, action)
    first = 0
    for obj, animation, take in zip(objects, animations, written, strict=True):
        count = animation.positions.shape[1]
        _show_distance(obj, motion.worst[first : first + count], animation)
        first += count
        point_cache.hide_preview(obj)
        own = made[obj.name] == armature.name
        put_back = PutBack() if own else PutBack(armature=armature.name, bound=bound[obj.name])
        kept_note.write(obj, animation, put_back, take)
    bpy.context.scene.frame_end = max(bpy.context.scene.frame_end, timing.whole_frames[1])
    warnings = [*rig.warnings, *(warning["sentence"] for warning in motion.warnings)]
    warnings += looked_at(objects, animations, motion, rig.to_armature, longest_side(rig.positions))
    warnings += [
        f"'{obj.name}' hangs on '{armature.name}' by a new Armature modifier, which Remove Animation takes off again."
        for obj in objects
        if bound[obj.name] is not None
    ]
    warnings += keying.switched_off(armature)
    return Kept(action.name, said_of(action, motion), tuple(warnings))


def _show_distance(obj: bpy.types.Object, worst: np.ndarray, animation: Animation) -> None:
    """Leaves the largest distance of each vertex as an attribute, to be seen in the spreadsheet or by a material."""
    if shape_keys.reason_to_copy(obj):
        return
    side = float(np.ptp(animation.positions[0], axis=0).max())
    attribute = obj.data.attributes.get(kept_bones.DISTANCE) or obj.data.attributes.new(
        kept_bones.DISTANCE, "FLOAT", "POINT"
    )
    attribute.data.foreach_set("value", (worst * side).astype(np.float32))


def looked_at(
    objects: Sequence[bpy.types.Object],
    animations: Sequence[Animation],
    motion: RigMotion,
    to_motion: Sequence[np.ndarray],
    side: float,
) -> list[str]:
    """A warning where Blender shows the objects elsewhere than the keys should bring them.

    to_motion: of each object (3, 3), from its axes to those in which the motion's distances were measured; side: the
    longest of the motion's first frame there.
    """
    timing = animations[0].timing
    apart, expected = [], []
    for frame in sorted({int(k) for k in np.linspace(0, timing.count - 1, LOOKS)}):
        with scene_at(timing.frame(frame)):
            distances = []
            for obj, animation, own in zip(objects, animations, to_motion, strict=True):
                count = modifier_stack.leading_count(obj)
                with modifier_stack.only_leading(obj, count), modifier_stack.evaluated_mesh(obj) as mesh:
                    off = (positions_of(mesh) - animation.positions[frame]) @ own.T
                    distances.append(np.linalg.norm(off, axis=1) / side)
            apart.append(float(np.concatenate(distances).mean()))
            expected.append(float(motion.mean[frame]))
    if max(np.array(apart) - expected) <= SAME:
        return []
    return [
        f"Blender shows the mesh {100 * max(apart):.2f} % of its longest side from the result on average, where the "
        f"keys were to bring it to {100 * max(expected):.2f} %: something else than bones deforms it."
    ]


def longest_side(positions: np.ndarray) -> float:
    """positions (T, N, 3): of the box around the first frame."""
    return float(np.ptp(positions[0], axis=0).max())


def said_of(action: bpy.types.Action, motion: RigMotion) -> str:
    bones = int((motion.turned | motion.moved).sum())
    worst = int(motion.largest.argmax())
    return (
        f"'{action.name}' keys {bones} bones: {100 * motion.mean.mean():.2f} % of the longest side from the result on "
        f"average, {100 * motion.largest[worst]:.1f} % at most (frame {worst})"
    )
