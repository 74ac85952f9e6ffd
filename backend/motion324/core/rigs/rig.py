"""A rig as plain data: an armature's bones, the skin weights of a mesh, and the motion of the bones.

J bones, N vertices, K weights of a vertex, T frames. Matrices multiply columns. Armature space is the armature
object's own space; a bone's matrix has its head as translation and looks along its Y axis, as Blender has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

QUATERNION = "QUATERNION"
AXIS_ANGLE = "AXIS_ANGLE"
EULER_ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
ROTATION_MODES = (QUATERNION, AXIS_ANGLE, *EULER_ORDERS)
UNEVEN = 1e-3  # of a bone's largest scale: what its scales along three axes may differ
NAMED = 3


def named(names: Sequence[str]) -> str:
    """As a sentence has them: the first few, and how many more."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:NAMED]) + more


@dataclass(frozen=True)
class Armature:
    """The bones, each after its parent.

    parents (J,) int32: -1 for none. rest (J, 4, 4) float64: armature space. lengths (J,) float64: from head to tail.
    location (J, 3), rotation (J, 4) as w, x, y, z, scale (J, 3) float64: the pose as it stands, relative to the rest
    pose, constraints included.
    rotation_modes: one of ROTATION_MODES each. Where a bone may go, all (J, 3) float64, in its own axes:
    rotation_low, rotation_high: Euler angles in radians, in the orders limit_orders, each one of EULER_ORDERS;
    location_low, location_high: both are the present value where something is locked, and infinite where nothing limits
    it. locked_components (J, 4) bool: of the quaternion w, x, y, z, those that stay; such a bone has no other limits.
    scale_low, scale_high (J,) float64: by how much the present scale may be multiplied, along all axes alike.
    inherits_rotation, local_location, connected (J,) bool: as Blender's bones have them. inherits_scale (J,) bool: of
    an even scale of its parent, which Blender hands on in full or not at all.
    """

    names: tuple[str, ...]
    parents: np.ndarray
    rest: np.ndarray
    lengths: np.ndarray
    location: np.ndarray
    rotation: np.ndarray
    scale: np.ndarray
    rotation_modes: tuple[str, ...]
    limit_orders: tuple[str, ...]
    rotation_low: np.ndarray
    rotation_high: np.ndarray
    location_low: np.ndarray
    location_high: np.ndarray
    locked_components: np.ndarray
    scale_low: np.ndarray
    scale_high: np.ndarray
    inherits_rotation: np.ndarray
    inherits_scale: np.ndarray
    local_location: np.ndarray
    connected: np.ndarray

    @property
    def count(self) -> int:
        return len(self.names)

    def check_scale(self) -> None:
        """Raises Motion324Error("rig-scaled") where bones do not move vertices as one rigid piece each."""
        scale = np.asarray(self.scale)
        is_uneven = np.ptp(scale, axis=1) > UNEVEN * np.abs(scale).max(axis=1)
        uneven = np.flatnonzero(is_uneven | (scale <= 1e-6).any(axis=1))
        if not len(uneven):
            return
        names = named([self.names[j] for j in uneven])
        raise Motion324Error(
            "rig-scaled",
            f"Bones of the pose have an uneven, mirrored or no scale ({names}), which turning bones would shear.",
            "Clear the scale of these bones (Alt+S in Pose Mode), or apply the pose as rest pose.",
            EXIT_BAD_MESH,
        )

    @classmethod
    def of_free_bones(
        cls, names: tuple[str, ...], parents: np.ndarray, rest: np.ndarray, lengths: np.ndarray
    ) -> Armature:
        """In its rest pose, by quaternions; nothing limits where a bone may go, and none is connected."""
        count = len(names)
        free = np.full((count, 3), np.inf)
        return cls(
            names=names,
            parents=parents.astype(np.int32),
            rest=rest,
            lengths=lengths,
            location=np.zeros((count, 3)),
            rotation=np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
            scale=np.ones((count, 3)),
            rotation_modes=(QUATERNION,) * count,
            limit_orders=EULER_ORDERS[:1] * count,
            rotation_low=-free,
            rotation_high=free,
            location_low=-free,
            location_high=free,
            locked_components=np.zeros((count, 4), bool),
            scale_low=np.zeros(count),
            scale_high=free[:, 0],
            inherits_rotation=np.ones(count, bool),
            inherits_scale=np.ones(count, bool),
            local_location=np.ones(count, bool),
            connected=np.zeros(count, bool),
        )


@dataclass(frozen=True)
class Skin:
    """How a mesh hangs on an armature.

    positions (N, 3) float32: armature space, as the vertices are before the armature moves them.
    joints (N, K) int32: bones. weights (N, K) float32: 0 where there is none; what they lack to 1 stays in place.
    """

    positions: np.ndarray
    joints: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class RigMotion:
    """Where the bones are in every frame, and how near the skinned mesh comes to the trajectory.

    turned, moved, scaled (J,) bool: the bones whose rotation, location and scale are keyed. held (J,) bool: others that
    move vertices, and have to stay as they stand, since locks or limits leave them no way.
    location (T, J, 3), rotation (T, J, 4) as w, x, y, z, scale (T, J, 3), float64: relative to the rest pose;
    neighbouring frames have quaternions of the same side. euler (T, J, 3): the same rotation in the bone's own order,
    where it has one, without leaps.
    mean, largest (T,) float64: distances of the vertices to the trajectory, in parts of its longest side.
    worst (N,) float32: the largest distance of each vertex over all frames, likewise.
    warnings: {"code", "sentence"} of what the user should know. report: plain JSON values on how it was found.
    """

    turned: np.ndarray
    moved: np.ndarray
    scaled: np.ndarray
    held: np.ndarray
    location: np.ndarray
    rotation: np.ndarray
    euler: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    largest: np.ndarray
    worst: np.ndarray
    warnings: tuple[dict[str, str], ...] = ()
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RiggedMotion:
    """A rig with its motion: the artist's own, or one that was made from the trajectory."""

    armature: Armature
    skin: Skin
    motion: RigMotion
