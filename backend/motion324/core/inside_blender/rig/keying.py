"""Keys on pose bones from a RigMotion, in an action of their own, in Blender 4.2 to 5.x."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from motion324.core.inside_blender import nla
from motion324.core.inside_blender.fcurves import channels_of, curves_of_action, new_channels, with_inner, write_curve
from motion324.core.inside_blender.rig.constraints import constraints_of, is_own_limit, limits_that_turn
from motion324.core.rigs.rig import AXIS_ANGLE, QUATERNION, Armature, RigMotion, named

PUT_BACK = "motion324_rig_put_back"
DISTANCES = ("motion324_mean", "motion324_largest")
POSE = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")  # what has keys of a bone
SCALE = 2  # the place of a bone's scale among its channels
SAME = 1e-6  # of a location, rotation or scale
CHANNELS = {QUATERNION: "rotation_quaternion", AXIS_ANGLE: "rotation_axis_angle"}


def write_keys(
    bpy: Any,
    obj: Any,
    armature: Armature,
    motion: RigMotion,
    frames: Sequence[float],
    name: str,
    goes_on: bool = True,
) -> Any:
    """Gives the armature object a new action with keys of every bone that turns, moves or scales, and returns it.

    frames (T,): the scene's, rising. What else of these bones and of those above them would not stand as `armature` has
    it gets one key. What acted on them before is switched off: constraints but limits, and drivers; bones that bend are
    straightened. `take_off` puts all of it back.
    goes_on: the object itself goes on moving as its action before had it. The action's custom properties DISTANCES have
    the mean and the largest distance to the trajectory of each frame, in percent of the longest side.
    """
    animation = obj.animation_data or obj.animation_data_create()
    nla.leave_tweaking(obj)
    stands = _stands(obj, animation, armature, motion)
    keyed = motion.turned | motion.moved | motion.scaled | stands.any(axis=1)
    names = [armature.names[j] for j in np.flatnonzero(keyed)]
    off = constraints_of(obj, names)
    off += [each for each in limits_that_turn(obj, armature, motion.rotation) if each[0] in set(names)]
    note = _note(obj, animation, names, off)
    note["nla"] = nla.make_way(animation)
    _switch_off(obj, animation, names, off)
    channels = _own_channels(bpy, obj, name) if goes_on else new_channels(bpy, obj, name)
    action = animation.action
    for j in np.flatnonzero(keyed):
        bone, path = armature.names[j], obj.pose.bones[armature.names[j]].path_from_id()
        values = _channels(armature, motion, j)
        moving = (motion.moved[j], motion.turned[j], motion.scaled[j])
        for (channel, shown), moves, still in zip(values, moving, stands[j], strict=True):
            if moves or still:
                _write(channels, f"{path}.{channel}", frames, shown if moves else shown[:1], bone)
    for name, distances in zip(DISTANCES, (motion.mean, motion.largest), strict=True):
        action[name] = (100 * distances).tolist()
    obj[PUT_BACK] = json.dumps({**note, "keyed": names, "made": action.name})
    return action


def _channels(armature: Armature, motion: RigMotion, j: int) -> list[tuple[str, np.ndarray]]:
    """Names and values (T, C) of the bone's location, rotation and scale."""
    turn = _rotation(armature.rotation_modes[j], motion, j)
    return [("location", motion.location[:, j]), turn, ("scale", motion.scale[:, j])]


def _stands(obj: Any, animation: Any, armature: Armature, motion: RigMotion) -> np.ndarray:
    """(J, 3) bool: of bones that are keyed or held, and those above them, whose location, rotation or scale needs a key
    to stay, since it is another one now, or since something moves it.
    """
    concerned = motion.turned | motion.moved | motion.scaled | motion.held
    for j in reversed(range(armature.count)):
        if concerned[j] and armature.parents[j] >= 0:
            concerned[armature.parents[j]] = True
    names = [armature.names[j] for j in np.flatnonzero(concerned)]
    constrained = {bone for bone, _ in constraints_of(obj, names)}
    moving = {each.data_path for each in (*_curves_of_strips(animation), *_drivers(obj, names))}
    stands = np.zeros((armature.count, 3), bool)
    for j in np.flatnonzero(concerned):
        pose = obj.pose.bones[armature.names[j]]
        _, turn, _ = pose.matrix_basis.decompose()
        turned = min(np.abs(sign * np.array(turn) - armature.rotation[j]).max() for sign in (1, -1))
        apart = [
            np.abs(np.array(pose.location) - armature.location[j]).max(),
            turned,
            np.abs(np.array(pose.scale) - armature.scale[j]).max(),
        ]
        paths = [f"{pose.path_from_id()}.{channel}" for channel, _ in _channels(armature, motion, j)]
        baked = pose.name in constrained
        for k, path in enumerate(paths):
            stands[j, k] = path in moving or apart[k] > SAME or (baked and k < SCALE)
    stands[:, 0] &= ~armature.connected & ~motion.moved  # Blender looks at no location of a connected bone
    stands[:, 1] &= ~motion.turned
    stands[:, 2] &= ~motion.scaled
    return stands


def _curves_of_strips(animation: Any) -> list[Any]:
    strips = [strip for track in animation.nla_tracks if not track.mute for strip in with_inner(track.strips)]
    return [curve for strip in strips if strip.action for curve in curves_of_action(strip.action)]


def _own_channels(bpy: Any, obj: Any, name: str) -> Any:
    """As new_channels, with the curves of the object itself, which are no bones', of its action before."""
    animation, before = obj.animation_data, obj.animation_data.action
    kept = channels_of(bpy, obj)
    if kept is None or all(_is_of_bone(curve) for curve in kept.fcurves):
        return new_channels(bpy, obj, name)
    slot = getattr(animation, "action_slot", None)
    identifier = slot.identifier if slot is not None else ""
    action = before.copy()
    action.name, action.use_fake_user = name, False
    animation.action = action
    if slot is not None:
        animation.action_slot = action.slots[identifier]
        for other in [each for each in action.slots if each.identifier != identifier]:
            action.slots.remove(other)
    channels = channels_of(bpy, obj, create=True)
    for curve in [each for each in channels.fcurves if _is_of_bone(each)]:
        channels.fcurves.remove(curve)
    for group in [each for each in channels.groups if not len(each.channels)]:
        channels.groups.remove(group)
    return channels


def _is_of_bone(curve: Any) -> bool:
    return bool(curve.data_path.startswith("pose.bones["))


def push_down(obj: Any, action: Any) -> None:
    """Moves the keys of `write_keys` into a track of their own in the NLA editor."""
    muted = nla.push_down(obj, action)
    note = json.loads(obj[PUT_BACK])
    if "nla" in note:  # as in take_off
        note["nla"]["muted"] += muted
        obj[PUT_BACK] = json.dumps(note)


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
        nla.leave_tweaking(obj)
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
        if "nla" in note:  # files of earlier versions have none
            nla.put_back(animation, note["nla"])
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
    for bone, values in note["pose"].items():
        pose = obj.pose.bones.get(bone)
        if pose is not None:
            for name, value in zip(POSE, values, strict=False):  # files of earlier versions have no scale there
                setattr(pose, name, value)
    del obj[PUT_BACK]


def switched_off_before(obj: Any) -> list[tuple[str, str]]:
    """Bones and names of the constraints of the armature object that `write_keys` has switched off."""
    try:
        return [(bone, name) for bone, name in json.loads(obj[PUT_BACK])["constraints"]]
    except (KeyError, TypeError, ValueError):
        return []


def constrained_before(obj: Any) -> set[str]:
    """The bones whose constraints, limits aside, `write_keys` has switched off."""
    off = [(obj.pose.bones.get(bone), name) for bone, name in switched_off_before(obj)]
    there = [(pose, pose.constraints[name]) for pose, name in off if pose is not None and name in pose.constraints]
    return {pose.name for pose, constraint in there if not is_own_limit(constraint)}


def switched_off(obj: Any) -> list[str]:
    """A sentence on the constraints that `write_keys` has switched off, where there are any."""
    muted = sorted({bone for bone, _ in switched_off_before(obj)})
    return [f"Constraints of {named(muted)} are switched off: the keys have their effect in them."] if muted else []


def _note(obj: Any, animation: Any, names: Sequence[str], off: list[tuple[str, str]]) -> dict[str, Any]:
    """What `take_off` puts back."""
    slot = getattr(animation, "action_slot", None)
    bones = [obj.pose.bones[name] for name in names]
    return {
        "action": animation.action.name if animation.action else "",
        "slot": slot.identifier if slot is not None else "",
        "constraints": off,
        "drivers": [(each.data_path, each.array_index) for each in _drivers(obj, names)],
        "segments": {bone.name: bone.bbone_segments for bone in obj.data.bones if _is_bendy(bone)},
        "pose": {bone.name: [list(getattr(bone, name)) for name in POSE] for bone in bones},
    }


def _switch_off(obj: Any, animation: Any, names: Sequence[str], off: list[tuple[str, str]]) -> None:
    if animation.action is not None:
        animation.action.use_fake_user = True  # it would be lost with the file's next saving
    for bone, constraint in off:
        obj.pose.bones[bone].constraints[constraint].mute = True
    for driver in _drivers(obj, names):
        driver.mute = True
    for bone in filter(_is_bendy, obj.data.bones):
        bone.bbone_segments = 1


def _drivers(obj: Any, names: Sequence[str]) -> list[Any]:
    paths = [obj.pose.bones[name].path_from_id() for name in names]
    own = tuple(f"{path}.{what}" for path in paths for what in ("location", "rotation", "scale"))
    return [driver for driver in obj.animation_data.drivers if driver.data_path.startswith(own) and not driver.mute]


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
