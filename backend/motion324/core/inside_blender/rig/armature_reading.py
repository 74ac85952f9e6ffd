"""A Blender armature -> motion324.core.rigs.rig.Armature: rest pose, pose as it stands, and how far bones may go."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.inside_blender.rig.constraints import is_own_limit, limits_of, order_of_limits
from motion324.core.inside_blender.rig.keying import constrained_before, switched_off_before
from motion324.core.rigs.rig import AXIS_ANGLE, QUATERNION, ROTATION_MODES, Armature, named

Off = list[tuple[str, str]]  # bones and names of constraints that keys have switched off
EVEN = 1e-4  # of a quaternion's component: less is none


@dataclass(frozen=True)
class ReadArmature:
    """bendy: the names of deforming bones that bend, which `keying.write_keys` straightens.
    not_as_locked: those of bones of which single components of the rotation are locked in a way that is not followed.
    """

    armature: Armature
    bendy: tuple[str, ...]
    not_as_locked: tuple[str, ...]


def read_armature(obj: Any, evaluated: Any) -> ReadArmature:
    """obj: the armature object; evaluated: the same as the dependency graph has it, whose pose counts.

    Raises what Armature.check_scale raises.
    """
    bones = _parents_first(obj.data.bones)
    place = {bone.name: j for j, bone in enumerate(bones)}
    poses = [obj.pose.bones[bone.name] for bone in bones]
    before, off = constrained_before(obj), switched_off_before(obj)
    own = [_own_pose(evaluated, evaluated.pose.bones[bone.name], off) for bone in bones]
    held = [pose.name in before or any(_holds(each) for each in pose.constraints) for pose in poses]
    connected = np.array([bone.use_connect and bone.parent is not None for bone in bones], bool)
    location = np.array([each[0] for each in own], np.float64).reshape(-1, 3)
    location[connected] = 0.0  # Blender looks at none of theirs; what constraints move them by, keys cannot
    rotation = np.array([each[1] for each in own], np.float64).reshape(-1, 4)
    # A constraint's scale goes with it; that of the bone itself stays, as its limits have it.
    scales = [_limited_scale(pose) if muted else each[2] for pose, each, muted in zip(poses, own, held, strict=True)]
    scale = np.array([tuple(each) for each in scales], np.float64).reshape(-1, 3)
    locks = [_turn_locks(pose, each[1], baked, off) for pose, each, baked in zip(poses, own, held, strict=True)]
    turns = np.array([_turn_limits(*each, off) for each in zip(poses, (one[3] for one in own), locks, strict=True)])
    moves = np.array(
        [_move_limits(pose, place, baked) for pose, place, baked in zip(poses, location, held, strict=True)], np.float64
    )
    grows = np.array([_scale_limits(*each) for each in zip(poses, scale, held, strict=True)], np.float64).reshape(-1, 2)
    armature = Armature(
        names=tuple(bone.name for bone in bones),
        parents=np.array([place[bone.parent.name] if bone.parent else -1 for bone in bones], np.int32),
        rest=np.array([_rows(bone.matrix_local) for bone in bones], np.float64).reshape(-1, 4, 4),
        lengths=np.array([bone.length for bone in bones], np.float64),
        location=location,
        rotation=rotation,
        scale=scale,
        rotation_modes=tuple(mode_of(pose) for pose in poses),
        limit_orders=tuple(order_of_limits(pose, off) for pose in poses),
        rotation_low=turns[:, 0],
        rotation_high=turns[:, 1],
        location_low=moves[:, 0],
        location_high=moves[:, 1],
        scale_low=grows[:, 0],
        scale_high=grows[:, 1],
        inherits_rotation=np.array([bone.use_inherit_rotation for bone in bones], bool),
        inherits_scale=np.array([bone.inherit_scale not in ("NONE", "NONE_LEGACY") for bone in bones], bool),
        local_location=np.array([bone.use_local_location for bone in bones], bool),
        locked_components=np.array([lock.components for lock in locks], bool).reshape(-1, 4),
        connected=connected,
    )
    armature.check_scale()
    bendy = tuple(bone.name for bone in bones if bone.use_deform and bone.bbone_segments > 1)
    return ReadArmature(
        armature, bendy, tuple(p.name for p, lock in zip(poses, locks, strict=True) if not lock.is_exact)
    )


def warnings_of(obj: Any, read: ReadArmature) -> list[str]:
    """What of the armature object is not as one may think of its keys, one sentence each."""
    told = []
    if read.bendy:
        told.append(
            f"Bendy bones ({named(read.bendy)}) are straight while the keys are there, which suppose whole bones."
        )
    if read.not_as_locked:
        told.append(
            f"Locks of single components of a rotation (4L) are not followed to the letter beside limits, or about a "
            f"slanting axis: {named(read.not_as_locked)} turns less than it may, or as if Euler angles were locked."
        )
    scale = obj.matrix_world.to_3x3()
    stretch = np.linalg.svd(np.array(scale), compute_uv=False)
    if scale.determinant() < 0 or stretch[0] > 1.001 * stretch[2]:
        how = "mirrored" if scale.determinant() < 0 else "scaled unevenly"
        told.append(
            f"'{obj.name}' is {how}: the keys are right here, but many other programs do not follow that; apply its "
            "scale (Ctrl+A) for them."
        )
    return told


def _holds(constraint: Any) -> bool:
    return not constraint.mute and constraint.influence > 0 and not is_own_limit(constraint)


def mode_of(pose: Any) -> str:
    return pose.rotation_mode if pose.rotation_mode in ROTATION_MODES else QUATERNION


def _parents_first(bones: Any) -> list[Any]:
    ordered: list[Any] = []
    left = [bone for bone in bones if bone.parent is None]
    while left:
        bone = left.pop(0)
        ordered.append(bone)
        left = list(bone.children) + left
    return ordered


def _own_pose(evaluated: Any, pose: Any, off: Off) -> tuple[Any, Any, Any, Any]:
    """Location, quaternion, scale and Euler angles in its limits' order, relative to the rest pose, as it is shown."""
    local = evaluated.convert_space(pose_bone=pose, matrix=pose.matrix, from_space="POSE", to_space="LOCAL")
    location, rotation, scale = local.decompose()
    order = order_of_limits(pose, off)
    own = pose.rotation_euler.copy() if order == pose.rotation_mode else _zero(pose.rotation_euler)
    return (
        tuple(location),
        tuple(rotation),
        tuple(scale),
        tuple(rotation.to_euler(order, own)),
    )  # of many, those near it


def _zero(euler: Any) -> Any:
    zero = euler.copy()
    zero.zero()
    return zero


@dataclass(frozen=True)
class _TurnLocks:
    """angles: the Euler angles that stay. components: of the quaternion, likewise. is_exact: whether that is all that
    Blender's locks say, and nothing else.
    """

    angles: tuple[bool, ...]
    components: tuple[bool, ...] = (False,) * 4
    is_exact: bool = True


def _turn_locks(pose: Any, turn: Any, baked: bool, off: Off) -> _TurnLocks:
    """turn: the present quaternion. Locks on all axes of a bone that constraints move only keep hands off it, as
    Rigify's, and its constraints are what the keys take the place of.

    Unless told otherwise ("4L", lock_rotations_4d), Blender locks components of quaternions, and of axis and angle.
    """
    axes = tuple(bool(each) for each in pose.lock_rotation)
    by_component = pose.lock_rotations_4d and pose.rotation_mode in (QUATERNION, AXIS_ANGLE)
    if baked and all(axes):
        return _TurnLocks((False,) * 3)
    if not by_component or not any((*axes, pose.lock_rotation_w)):
        return _TurnLocks(axes)
    whole = _TurnLocks((True,) * 3)
    if all(axes) or (pose.lock_rotation_w and abs(turn[0]) > 1 - EVEN):
        return whole
    stays = [abs(value) > EVEN for value, locked in zip(turn[1:], axes, strict=True) if locked]
    if pose.rotation_mode == AXIS_ANGLE and any(stays):  # of the axis, which tells nothing where there is no turn
        about = [abs(value) > 1 - EVEN for value in pose.rotation_axis_angle[1:]]
        stiff = dataclasses.replace(whole, is_exact=False)
        return _TurnLocks(tuple(not each for each in about)) if any(about) else stiff
    if sum(axes) == 2 and not any(stays) and not pose.lock_rotation_w:
        return _TurnLocks(axes)  # about one axis, by its angle
    if limits_of(pose, "LIMIT_ROTATION", off):
        return _TurnLocks(axes, is_exact=False)
    return _TurnLocks((False,) * 3, (bool(pose.lock_rotation_w), *axes))


def _turn_limits(pose: Any, angles: Any, locks: _TurnLocks, off: Off) -> tuple[list[float], list[float]]:
    """The lowest and the highest Euler angles. A lock keeps the present one."""
    low, high = [-np.inf] * 3, [np.inf] * 3
    for constraint in limits_of(pose, "LIMIT_ROTATION", off):
        for k, axis in enumerate("xyz"):
            if getattr(constraint, f"use_limit_{axis}"):
                low[k] = max(low[k], getattr(constraint, f"min_{axis}"))
                high[k] = min(high[k], getattr(constraint, f"max_{axis}"))
    for k in range(3):
        if locks.angles[k]:
            low[k] = high[k] = angles[k]
    return low, high


def _move_limits(pose: Any, location: Any, baked: bool) -> tuple[list[float], list[float]]:
    low, high = [-np.inf] * 3, [np.inf] * 3
    for constraint in limits_of(pose, "LIMIT_LOCATION"):
        for k, axis in enumerate("xyz"):
            if getattr(constraint, f"use_min_{axis}"):
                low[k] = max(low[k], getattr(constraint, f"min_{axis}"))
            if getattr(constraint, f"use_max_{axis}"):
                high[k] = min(high[k], getattr(constraint, f"max_{axis}"))
    for k in range(3):
        locked = pose.lock_location[k] and not (baked and all(pose.lock_location))
        if locked or (pose.bone.use_connect and pose.parent is not None):
            low[k] = high[k] = location[k]
    return low, high


def _limited_scale(pose: Any) -> list[float]:
    scale = list(pose.scale)
    for constraint in limits_of(pose, "LIMIT_SCALE"):
        for k, axis in enumerate("xyz"):
            if getattr(constraint, f"use_min_{axis}"):
                scale[k] = max(scale[k], getattr(constraint, f"min_{axis}"))
            if getattr(constraint, f"use_max_{axis}"):
                scale[k] = min(scale[k], getattr(constraint, f"max_{axis}"))
    return scale


def _scale_limits(pose: Any, scale: np.ndarray, baked: bool) -> tuple[float, float]:
    """By how much its scale may be multiplied; all of it stays where one axis is locked, since it is to stay even."""
    low, high = 0.0, np.inf
    for constraint in limits_of(pose, "LIMIT_SCALE"):
        for k, axis in enumerate("xyz"):
            if getattr(constraint, f"use_min_{axis}"):
                low = max(low, getattr(constraint, f"min_{axis}") / scale[k])
            if getattr(constraint, f"use_max_{axis}"):
                high = min(high, getattr(constraint, f"max_{axis}") / scale[k])
    locked = any(pose.lock_scale) and not (baked and all(pose.lock_scale))
    return (1.0, 1.0) if locked or high < low else (low, high)


def _rows(matrix: Any) -> list[list[float]]:
    return [list(row) for row in matrix]
