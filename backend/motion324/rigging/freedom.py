"""What of a rig may be keyed: which bones turn and move, about which axes, and how far.

A bone without limits turns by a small rotation at a time; where components of its quaternion are locked, by one that
keeps these. One with a limit or a lock of angles turns by Euler angles.

J bones, U units of three numbers each: a bone's rotation or its location.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from motion324.core.motion.quaternions import from_quaternion, to_quaternion
from motion324.core.rigs.rig import Armature
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
        turn &= np.arange(3) < 3 - armature.locked_components.sum(axis=1, keepdims=True)
        move = armature.location_high - armature.location_low > AT_BOUND
        return np.concatenate([turn[self.turned], move[self.moved]])

    @cached_property
    def by_components(self) -> np.ndarray:
        """(J,) bool: those of the turned bones of whose quaternion components are locked."""
        return self.turned & self.armature.locked_components.any(axis=1)

    def order(self, bone: int) -> str:
        """The Euler order that a bone's limits count in."""
        return self.armature.limit_orders[bone]

    def within(self, poses: Poses) -> Poses:
        """The nearest that the limits and locks allow."""
        rotation, location = poses.rotation.copy(), poses.location.copy()
        for bone in np.flatnonzero(self.by_angles):
            angles = without_leaps(to_euler(rotation[:, bone], self.order(bone)), self.order(bone))
            rotation[:, bone] = from_euler(self._clamped(angles, bone), self.order(bone))
        for bone in np.flatnonzero(self.by_components):
            rotation[:, bone] = self._kept(rotation[:, bone], bone)
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
            elif self.by_components[bone]:
                axes[:, place] = axes[:, place] @ self._ways(poses.rotation[:, bone], bone)
        screws[:, : len(turned), :3] = axes
        screws[:, : len(turned), 3:] = cross_matrix(placed.matrices[:, turned][..., :3, 3]) @ axes  # the head stays
        screws[:, len(turned) :, 3:] = placed.move_frames[:, moved]
        return screws

    def stepped(self, poses: Poses, steps: np.ndarray) -> Poses:
        """steps (T, U, 3): added, within the limits."""
        turned, moved = np.flatnonzero(self.turned), np.flatnonzero(self.moved)
        rotation, location = poses.rotation.copy(), poses.location.copy()
        free = ~self.by_angles[turned]
        turns = steps[:, : len(turned)].copy()
        for place in np.flatnonzero(self.by_components[turned]):
            ways = self._ways(rotation[:, turned[place]], turned[place])
            turns[:, place] = np.einsum("tab,tb->ta", ways, turns[:, place])
        rotation[:, turned[free]] = from_vector(turns[:, free]) @ rotation[:, turned[free]]
        for bone in np.flatnonzero(self.by_components):
            rotation[:, bone] = self._kept(rotation[:, bone], bone)
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
            elif self.by_components[bone]:
                steps[:, place] = np.einsum("tab,ta->tb", self._ways(poses.rotation[:, bone], bone), steps[:, place])
        steps[:, len(turned) :] = targets.location[:, moved] - poses.location[:, moved]
        return steps

    def _ways(self, rotation: np.ndarray, bone: int) -> np.ndarray:
        """(T, 3, 3): columns are the small turns that keep its locked components, as many as there are, then 0."""
        locked = self.armature.locked_components[bone]
        quaternions = to_quaternion(rotation)
        changes = np.empty((len(rotation), 4, 3))  # of w, x, y, z by a small turn before the rotation
        changes[:, 0] = -quaternions[:, 1:]
        changes[:, 1:] = quaternions[:, :1, None] * np.eye(3) - cross_matrix(quaternions[:, 1:])
        _, _, rows = np.linalg.svd(changes[:, locked])
        ways = np.zeros((len(rotation), 3, 3))
        ways[..., : 3 - locked.sum()] = np.swapaxes(rows[:, locked.sum() :], -1, -2)
        return ways

    def _kept(self, rotation: np.ndarray, bone: int) -> np.ndarray:
        """(T, 3, 3): with the locked components as they were before, and the others in proportion."""
        locked, own = self.armature.locked_components[bone], np.asarray(self.armature.rotation[bone], np.float64)
        quaternions = to_quaternion(rotation)
        quaternions *= np.where(quaternions[:, locked] @ own[locked] < 0, -1.0, 1.0)[:, None]
        length = np.linalg.norm(quaternions[:, ~locked], axis=1, keepdims=True)
        others = np.where(length > AT_BOUND, quaternions[:, ~locked], own[~locked])
        length = np.linalg.norm(others, axis=1, keepdims=True)
        quaternions[:, locked] = own[locked]
        quaternions[:, ~locked] = (
            others * np.sqrt(max(1 - own[locked] @ own[locked], 0.0)) / np.maximum(length, AT_BOUND)
        )
        return from_quaternion(quaternions)

    def _clamped(self, angles: np.ndarray, bone: int) -> np.ndarray:
        return np.clip(angles, self.armature.rotation_low[bone], self.armature.rotation_high[bone])
