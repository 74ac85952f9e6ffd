"""Constraints of pose bones: which move what keys take the place of, and which limit the keys themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from motion324.core.rigs.rig import Armature

CHAINS = ("IK", "SPLINE_IK")  # constraints that also move bones above their own
LIMITS = ("LIMIT_ROTATION", "LIMIT_LOCATION", "LIMIT_SCALE")
WITHIN = 1e-3  # radians: a limit that is passed by less changes nothing that is seen


def constraints_of(obj: Any, names: Sequence[str]) -> list[tuple[str, str]]:
    """Bone and name of the constraints that keys of these bones take the place of: their own, and those by which a bone
    below them bends them.
    """
    keyed = set(names)
    return [
        (pose.name, each.name)
        for pose in obj.pose.bones
        for each in pose.constraints
        if not each.mute and not is_own_limit(each) and not keyed.isdisjoint(_moved_by(pose, each))
    ]


def _moved_by(pose: Any, constraint: Any) -> list[str]:
    """The bones that a constraint of this one moves."""
    if constraint.type not in CHAINS:
        return [pose.name]
    chain = [pose.name, *(above.name for above in pose.bone.parent_recursive)]
    if not getattr(constraint, "use_tail", True):  # the bone itself stays out
        chain = chain[1:]
    return chain[: constraint.chain_count or None]


def is_own_limit(constraint: Any) -> bool:
    """Whether it limits the very values that keys have; all other constraints are what keys take the place of."""
    return constraint.type in LIMITS and constraint.owner_space == "LOCAL" and constraint.influence >= 1.0


def limits_of(pose: Any, kind: str, counted: Iterable[tuple[str, str]] = ()) -> list[Any]:
    """Those that count in the bone's own space, as the keys do. counted: bones and names of some that are switched off
    and are looked at all the same.
    """
    counted = set(counted)
    own = [each for each in pose.constraints if each.type == kind and is_own_limit(each)]
    return [each for each in own if not each.mute or (pose.name, each.name) in counted]


def order_of_limits(pose: Any, counted: Iterable[tuple[str, str]] = ()) -> str:
    """The Euler order in which limits of its rotation count."""
    orders = [each.euler_order for each in limits_of(pose, "LIMIT_ROTATION", counted) if each.euler_order != "AUTO"]
    mode = pose.rotation_mode
    return orders[-1] if orders else "XYZ" if mode in ("QUATERNION", "AXIS_ANGLE") else mode


def limits_that_turn(obj: Any, armature: Armature, rotation: np.ndarray) -> list[tuple[str, str]]:
    """Bones and names of the limits that would turn bones away from where rotation (T, J, 4) has them.

    A rotation is two sets of Euler angles. Blender limits those whose sum is the smaller, which far turns about a free
    axis may put outside though the others are within, so that limiting a limited rotation may change it again.
    """
    found = []
    for j, name in enumerate(armature.names):
        pose = obj.pose.bones[name]
        for limit in limits_of(pose, "LIMIT_ROTATION"):
            order = limit.euler_order if limit.euler_order != "AUTO" else order_of_limits(pose)
            angles = np.array([tuple(_matrix(pose, each).to_euler(order)) for each in rotation[:, j]])
            ranges = [
                (getattr(limit, f"min_{axis}"), getattr(limit, f"max_{axis}"))
                if getattr(limit, f"use_limit_{axis}")
                else (-np.inf, np.inf)
                for axis in "xyz"
            ]
            low, high = np.array(ranges).T
            if ((angles < low - WITHIN) | (angles > high + WITHIN)).any():
                found.append((name, limit.name))
    return found


def _matrix(pose: Any, quaternion: np.ndarray) -> Any:
    kind = type(pose.rotation_quaternion)  # mathutils' own, which scripts outside of Blender do not have
    return kind(quaternion.tolist()).to_matrix()
