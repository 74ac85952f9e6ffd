"""What of a rig may be keyed: which bones turn and move, about which axes, and how far.

A bone without limits turns by a small rotation at a time. One with a limit or a lock turns by Euler angles, which is
what Blender's locks and limits count. J bones, U units of three numbers each: a bone's rotation or its location.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from motion324.core.rig import EULER_ORDERS, Armature
from motion324.rigging.kinematics import Placed, Poses
from motion324.rigging.rotations import (
    cross_matrix,
    euler_axes,
    from_euler,
    from_vector,
    to_euler,
    to_vector,
    without_leaps,
)

AT_BOUND = 1e-9


@dataclass(frozen=True)
class Freedom:
    """turned, moved (J,) bool: bones whose rotation and location are unknown."""

    armature: Armature
    turned: np.ndarray
    moved: np.ndarray

    @cached_property
    def by_angles(self) -> np.ndarray:
        """(J,) bool: those of the turned bones that a limit or a lock holds."""
        low, high = self.armature.rotation_low, self.armature.rotation_high
        return self.turned & (np.isfinite(low) | np.isfinite(high)).any(axis=1)

    @cached_property
    def units(self) -> np.ndarray:
        """(U,): the bone of each unit; first those that turn, then those that move."""
        return np.concatenate([np.flatnonzero(self.turned), np.flatnonzero(self.moved)])

    @property
    def turning(self) -> int:
        """How many of the units turn."""
        return int(self.turned.sum())

    @cached_property
    def open(self) -> np.ndarray:
        """(U, 3) bool: what is not locked."""
        armature = self.armature
        turn = armature.rotation_high - armature.rotation_low > AT_BOUND
        move = armature.location_high - armature.location_low > AT_BOUND
        return np.concatenate([turn[self.turned], move[self.moved]])

    def order(self, bone: int) -> str:
        """The Euler order that a bone's limits count in."""
        mode = self.armature.rotation_modes[bone]
        return mode if mode in EULER_ORDERS else "XYZ"

    def within(self, poses: Poses) -> Poses:
        """The nearest that the limits and locks allow."""
        rotation, location = poses.rotation.copy(), poses.location.copy()
        for bone in np.flatnonzero(self.by_angles):
            angles = without_leaps(to_euler(rotation[:, bone], self.order(bone)), self.order(bone))
            rotation[:, bone] = from_euler(self._clamped(angles, bone), self.order(bone))
        location[:, self.moved] = np.clip(
            location[:, self.moved], self.armature.location_low[self.moved], self.armature.location_high[self.moved]
        )
        return Poses(rotation, location)

    def screws(self, poses: Poses, placed: Placed) -> np.ndarray:
        """(T, U, 6, 3): the twist of each unit's bone that a step of its three numbers makes."""
        turned, moved = np.flatnonzero(self.turned), np.flatnonzero(self.moved)
        screws = np.zeros((len(poses.rotation), len(self.units), 6, 3))
        axes = placed.turn_frames[:, turned].copy()
        for place, bone in enumerate(turned):
            if self.by_angles[bone]:
                own = euler_axes(to_euler(poses.rotation[:, bone], self.order(bone)), self.order(bone))
                axes[:, place] = axes[:, place] @ np.swapaxes(own, -1, -2)
        screws[:, : len(turned), :3] = axes
        screws[:, : len(turned), 3:] = cross_matrix(placed.matrices[:, turned][..., :3, 3]) @ axes  # the head stays
        screws[:, len(turned) :, 3:] = placed.move_frames[:, moved]
        return screws

    def stepped(self, poses: Poses, steps: np.ndarray) -> Poses:
        """steps (T, U, 3): added, within the limits."""
        turned, moved = np.flatnonzero(self.turned), np.flatnonzero(self.moved)
        rotation, location = poses.rotation.copy(), poses.location.copy()
        free = ~self.by_angles[turned]
        rotation[:, turned[free]] = from_vector(steps[:, : len(turned)][:, free]) @ rotation[:, turned[free]]
        for place in np.flatnonzero(~free):
            bone = turned[place]
            angles = to_euler(rotation[:, bone], self.order(bone)) + steps[:, place]
            rotation[:, bone] = from_euler(self._clamped(angles, bone), self.order(bone))
        low, high = self.armature.location_low[moved], self.armature.location_high[moved]
        location[:, moved] = np.clip(location[:, moved] + steps[:, len(turned) :], low, high)
        return Poses(rotation, location)

    def blocked(self, poses: Poses, downhill: np.ndarray) -> np.ndarray:
        """(T, U, 3) bool: what is locked, or at a limit beyond which `downhill` (T, U, 3), where it is drawn, leads."""
        turned, moved = np.flatnonzero(self.turned), np.flatnonzero(self.moved)
        armature = self.armature
        values = np.zeros_like(downhill)
        for place, bone in enumerate(turned):
            if self.by_angles[bone]:
                values[:, place] = to_euler(poses.rotation[:, bone], self.order(bone))
        values[:, len(turned) :] = poses.location[:, moved]
        low = np.concatenate([armature.rotation_low[turned], armature.location_low[moved]])
        high = np.concatenate([armature.rotation_high[turned], armature.location_high[moved]])
        outside = ((values <= low + AT_BOUND) & (downhill < 0)) | ((values >= high - AT_BOUND) & (downhill > 0))
        return outside | ~self.open

    def apart(self, poses: Poses, targets: Poses) -> np.ndarray:
        """(T, U, 3): the steps from the poses to the targets."""
        turned, moved = np.flatnonzero(self.turned), np.flatnonzero(self.moved)
        steps = np.empty((len(poses.rotation), len(self.units), 3))
        back = np.swapaxes(poses.rotation[:, turned], -1, -2)
        steps[:, : len(turned)] = to_vector(targets.rotation[:, turned] @ back)
        for place, bone in enumerate(turned):
            if self.by_angles[bone]:
                order = self.order(bone)
                own, other = to_euler(poses.rotation[:, bone], order), to_euler(targets.rotation[:, bone], order)
                steps[:, place] = other - own
        steps[:, len(turned) :] = targets.location[:, moved] - poses.location[:, moved]
        return steps

    def _clamped(self, angles: np.ndarray, bone: int) -> np.ndarray:
        return np.clip(angles, self.armature.rotation_low[bone], self.armature.rotation_high[bone])
