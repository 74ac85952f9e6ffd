"""Keys on pose bones from a RigMotion, in an action of their own, in Blender 4.2 to 5.x."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from motion324.core.inside_blender.fcurves import new_channels, write_curve
from motion324.core.rig import AXIS_ANGLE, QUATERNION, Armature, RigMotion

PUT_BACK = "motion324_rig_put_back"
LIMITS = ("LIMIT_ROTATION", "LIMIT_LOCATION")
CHANNELS = {QUATERNION: "rotation_quaternion", AXIS_ANGLE: "rotation_axis_angle"}


def write_keys(
    bpy: Any, obj: Any, armature: Armature, motion: RigMotion, frames: Sequence[float], name: str, held: np.ndarray
) -> Any:
    """Gives the armature object a new action with keys of every bone that turns or moves, and returns it.

    frames (T,): the scene's, rising. held (J,) bool: bones to be keyed as they stand, once, since something else than
    their own values may move them. What acted on these bones before is switched off: constraints but limits, and
    drivers of the keyed values; bones that bend are straightened. `take_off` puts all of it back.
    """
    animation = obj.animation_data or obj.animation_data_create()
    keyed = motion.turned | motion.moved | held
    names = [armature.names[j] for j in np.flatnonzero(keyed)]
    note = _note(obj, animation, names)
    _switch_off(obj, animation, names)
    channels = new_channels(bpy, obj, name)
    action = animation.action
    for j in np.flatnonzero(keyed):
        pose = obj.pose.bones[armature.names[j]]
        path = f'pose.bones["{bpy.utils.escape_identifier(pose.name)}"]'
        if motion.turned[j] or held[j]:
            channel, values = _rotation(armature.rotation_modes[j], motion, j)
            _write(channels, f"{path}.{channel}", frames, values if motion.turned[j] else values[:1], pose.name)
        if motion.moved[j] or held[j]:
            values = motion.location[:, j]
            _write(channels, f"{path}.location", frames, values if motion.moved[j] else values[:1], pose.name)
    obj[PUT_BACK] = json.dumps({**note, "keyed": names, "made": action.name})
    return action


def push_down(obj: Any, action: Any) -> None:
    """Moves the active action into a track of its own in the NLA editor."""
    animation = obj.animation_data
    slot = getattr(animation, "action_slot", None)
    track = animation.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, round(action.frame_range[0]), action)
    strip.frame_start = action.frame_range[0]
    if slot is not None:
        strip.action_slot = slot
    animation.action = None


def is_keyed(obj: Any) -> bool:
    """Whether the armature object has keys that `write_keys` wrote."""
    return PUT_BACK in obj


def take_off(bpy: Any, obj: Any) -> None:
    """Removes the action of `write_keys`, also from the NLA, and puts back what acted before."""
    try:
        note = json.loads(obj[PUT_BACK])
    except (KeyError, TypeError, ValueError):
        return
    animation = obj.animation_data
    if animation is not None:
        made = bpy.data.actions.get(note["made"])
        for track in list(animation.nla_tracks):
            if made is not None and [strip.action for strip in track.strips] == [made]:
                animation.nla_tracks.remove(track)
        if made is not None and animation.action in (made, None):
            animation.action = bpy.data.actions.get(note["action"]) if note["action"] else None
            slots = getattr(animation.action, "slots", None) if animation.action else None
            if note["slot"] and slots is not None and note["slot"] in slots:
                animation.action_slot = slots[note["slot"]]
        if made is not None and made.users - int(made.use_fake_user) == 0:
            bpy.data.actions.remove(made)
        for path, index in note["drivers"]:
            driver = animation.drivers.find(path, index=index)
            if driver is not None:
                driver.mute = False
    for bone, constraint in note["constraints"]:
        pose = obj.pose.bones.get(bone)
        if pose is not None and constraint in pose.constraints:
            pose.constraints[constraint].mute = False
    for bone, segments in note.get("segments", {}).items():
        if bone in obj.data.bones:
            obj.data.bones[bone].bbone_segments = segments
    for bone, (location, quaternion, euler, axis_angle) in note["pose"].items():
        pose = obj.pose.bones.get(bone)
        if pose is not None:
            pose.location, pose.rotation_quaternion = location, quaternion
            pose.rotation_euler, pose.rotation_axis_angle = euler, axis_angle
    del obj[PUT_BACK]


def constrained_before(obj: Any) -> set[str]:
    """The bones of the armature object whose constraints `write_keys` has switched off."""
    try:
        return {bone for bone, _ in json.loads(obj[PUT_BACK])["constraints"]}
    except (KeyError, TypeError, ValueError):
        return set()


def constraints_of(obj: Any, names: Sequence[str]) -> list[tuple[str, str]]:
    """Bone and name of the constraints that keys take the place of."""
    return [
        (name, each.name)
        for name in names
        for each in obj.pose.bones[name].constraints
        if not each.mute and not is_own_limit(each)
    ]


def is_own_limit(constraint: Any) -> bool:
    """Whether it limits the very values that keys have; all other constraints are what keys take the place of."""
    return constraint.type in LIMITS and constraint.owner_space == "LOCAL" and constraint.influence >= 1.0


def _note(obj: Any, animation: Any, names: Sequence[str]) -> dict[str, Any]:
    """What `take_off` puts back."""
    slot = getattr(animation, "action_slot", None)
    bones = [obj.pose.bones[name] for name in names]
    return {
        "action": animation.action.name if animation.action else "",
        "slot": slot.identifier if slot is not None else "",
        "constraints": constraints_of(obj, names),
        "drivers": [(each.data_path, each.array_index) for each in _drivers(animation, names)],
        "segments": {bone.name: bone.bbone_segments for bone in obj.data.bones if _is_bendy(bone)},
        "pose": {
            bone.name: [
                list(bone.location),
                list(bone.rotation_quaternion),
                list(bone.rotation_euler),
                list(bone.rotation_axis_angle),
            ]
            for bone in bones
        },
    }


def _switch_off(obj: Any, animation: Any, names: Sequence[str]) -> None:
    if animation.action is not None:
        animation.action.use_fake_user = True  # it would be lost with the file's next saving
    for bone, constraint in constraints_of(obj, names):
        obj.pose.bones[bone].constraints[constraint].mute = True
    for driver in _drivers(animation, names):
        driver.mute = True
    for bone in filter(_is_bendy, obj.data.bones):
        bone.bbone_segments = 1


def _drivers(animation: Any, names: Sequence[str]) -> list[Any]:
    own = tuple(f'pose.bones["{name}"].{what}' for name in names for what in ("location", "rotation"))
    return [driver for driver in animation.drivers if driver.data_path.startswith(own) and not driver.mute]


def _is_bendy(bone: Any) -> bool:
    return bool(bone.use_deform and bone.bbone_segments > 1)


def _rotation(mode: str, motion: RigMotion, j: int) -> tuple[str, np.ndarray]:
    """The bone's channel and its values (T, C)."""
    if mode == QUATERNION:
        return CHANNELS[mode], motion.rotation[:, j]
    if mode == AXIS_ANGLE:
        return CHANNELS[mode], _axis_angle(motion.rotation[:, j])
    return "rotation_euler", motion.euler[:, j]


def _axis_angle(quaternions: np.ndarray) -> np.ndarray:
    """(T, 4) -> (T, 4): angle and axis; where there is no turn, the axis of the frame before."""
    sine = np.linalg.norm(quaternions[:, 1:], axis=1)
    angle = 2 * np.arctan2(sine, quaternions[:, 0])
    axes = np.tile([0.0, 1.0, 0.0], (len(quaternions), 1))
    for t in range(len(axes)):
        axes[t] = quaternions[t, 1:] / sine[t] if sine[t] > 1e-6 else axes[t - 1] if t else axes[t]
    return np.c_[angle, axes]


def _write(channels: Any, path: str, frames: Sequence[float], values: np.ndarray, group: str) -> None:
    """values (T, C), or (1, C) for one key at the first frame."""
    for index in range(values.shape[1]):
        curve = write_curve(channels.fcurves, path, frames[: len(values)], values[:, index], index=index)
        curve.group = channels.groups.get(group) or channels.groups.new(group)
