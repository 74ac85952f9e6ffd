"""What of a rig may be keyed: which bones turn, move and scale, about which axes, and how far.

A bone without limits turns by a small rotation at a time; where components of its quaternion are locked, by one that
keeps these. One with a limit or a lock of angles turns by Euler angles.

J bones, U units of three numbers each: a bone's rotation, its location, or its scale, which is the first of its three.
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
MOST_GROWTH = 0.5  # of a scale in one step, by its natural logarithm: what exp makes of more may be no number


@dataclass(frozen=True)
class Freedom:
    """turned, moved, scaled (J,) bool: bones whose rotation, location and scale are unknown."""

    armature: Armature
    turned: np.ndarray
    moved: np.ndarray
    scaled: np.ndarray

    @cached_property
    def by_angles(self) -> np.ndarray:
        """(J,) bool: those of the turned bones that a limit or a lock holds."""
        low, high = self.armature.rotation_low, self.armature.rotation_high
        return self.turned & (np.isfinite(low) | np.isfinite(high)).any(axis=1)

    @cached_property
    def units(self) -> np.ndarray:
        """(U,): the bone of each unit; first those that turn, then those that move, then those that scale."""
        return np.concatenate([np.flatnonzero(each) for each in (self.turned, self.moved, self.scaled)])

    @cached_property
    def parts(self) -> tuple[slice, slice, slice]:
        """Of the units: those that turn, move and scale."""
        turning, moving = int(self.turned.sum()), int(self.moved.sum())
        return slice(0, turning), slice(turning, turning + moving), slice(turning + moving, None)

    @property
    def twist(self) -> int:
        """How many numbers a twist has, see kinematics."""
        return 7 if self.scaled.any() else 6

    @cached_property
    def open(self) -> np.ndarray:
        """(U, 3) bool: what is not locked."""
        armature = self.armature
        turn = armature.rotation_high - armature.rotation_low > AT_BOUND
        turn &= np.arange(3) < 3 - armature.locked_components.sum(axis=1, keepdims=True)
        move = armature.location_high - armature.location_low > AT_BOUND
        scale = np.zeros((armature.count, 3), bool)
        scale[:, 0] = armature.scale_high - armature.scale_low > AT_BOUND
        return np.concatenate([turn[self.turned], move[self.moved], scale[self.scaled]])

    @cached_property
    def by_components(self) -> np.ndarray:
        """(J,) bool: those of the turned bones of whose quaternion components are locked."""
        return self.turned & self.armature.locked_components.any(axis=1)

    def order(self, bone: int) -> str:
        """The Euler order that a bone's limits count in."""
        return self.armature.limit_orders[bone]

    def within(self, poses: Poses) -> Poses:
        """The nearest that the limits and locks allow."""
        poses = poses.copy()
        rotation, location = poses.rotation, poses.location
        for bone in np.flatnonzero(self.by_angles):
            angles = without_leaps(to_euler(rotation[:, bone], self.order(bone)), self.order(bone))
            rotation[:, bone] = from_euler(self._clamped(angles, bone), self.order(bone))
        for bone in np.flatnonzero(self.by_components):
            rotation[:, bone] = self._kept(rotation[:, bone], bone)
        location[:, self.moved] = np.clip(
            location[:, self.moved], self.armature.location_low[self.moved], self.armature.location_high[self.moved]
        )
        poses.growth[:, self.scaled] = self._grown(poses.growth[:, self.scaled])
        return poses

    def screws(self, poses: Poses, placed: Placed) -> np.ndarray:
        """(T, U, 6 or 7, 3): the twist of each unit's bone that a step of its three numbers makes."""
        turned, moved, scaled = self._bones()
        turns, moves, scales = self.parts
        screws = np.zeros((len(poses.rotation), len(self.units), self.twist, 3))
        axes = placed.turn_frames[:, turned].copy()
        for place, bone in enumerate(turned):
            if self.by_angles[bone]:
                own = euler_axes(to_euler(poses.rotation[:, bone], self.order(bone)), self.order(bone))
                axes[:, place] = axes[:, place] @ np.swapaxes(own, -1, -2)
            elif self.by_components[bone]:
                axes[:, place] = axes[:, place] @ self._ways(poses.rotation[:, bone], bone)
        screws[:, turns, :3] = axes
        screws[:, turns, 3:6] = cross_matrix(placed.matrices[:, turned][..., :3, 3]) @ axes  # the head stays
        screws[:, moves, 3:6] = placed.move_frames[:, moved]
        screws[:, scales, 6:, 0] = 1.0
        screws[:, scales, 3:6, 0] = -placed.matrices[:, scaled][..., :3, 3]  # here too
        return screws

    def stepped(self, poses: Poses, steps: np.ndarray) -> Poses:
        """steps (T, U, 3): added, within the limits."""
        turned, moved, scaled = self._bones()
        poses = poses.copy()
        rotation, location = poses.rotation, poses.location
        free = ~self.by_angles[turned]
        turns = steps[:, self.parts[0]].copy()
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
        location[:, moved] = np.clip(location[:, moved] + steps[:, self.parts[1]], low, high)
        growing = np.clip(steps[:, self.parts[2], 0], -MOST_GROWTH, MOST_GROWTH)
        poses.growth[:, scaled] = self._grown(poses.growth[:, scaled] * np.exp(growing))
        return poses

    def blocked(self, poses: Poses, downhill: np.ndarray) -> np.ndarray:
        """(T, U, 3) bool: what is locked, or at a limit beyond which `downhill` (T, U, 3), where it is drawn, leads."""
        turned, moved, scaled = self._bones()
        armature = self.armature
        values = np.zeros_like(downhill)
        for place, bone in enumerate(turned):
            if self.by_angles[bone]:
                values[:, place] = to_euler(poses.rotation[:, bone], self.order(bone))
        values[:, self.parts[1]] = poses.location[:, moved]
        values[:, self.parts[2]] = poses.growth[:, scaled, None]
        low, high = (
            np.concatenate([turn[turned], move[moved], np.repeat(scale[scaled, None], 3, axis=1)])
            for turn, move, scale in (
                (armature.rotation_low, armature.location_low, armature.scale_low),
                (armature.rotation_high, armature.location_high, armature.scale_high),
            )
        )
        outside = ((values <= low + AT_BOUND) & (downhill < 0)) | ((values >= high - AT_BOUND) & (downhill > 0))
        return outside | ~self.open

    def apart(self, poses: Poses, targets: Poses) -> np.ndarray:
        """(T, U, 3): the steps from the poses to the targets."""
        turned, moved, scaled = self._bones()
        steps = np.zeros((len(poses.rotation), len(self.units), 3))
        back = np.swapaxes(poses.rotation[:, turned], -1, -2)
        steps[:, self.parts[0]] = to_vector(targets.rotation[:, turned] @ back)
        for place, bone in enumerate(turned):
            if self.by_angles[bone]:
                order = self.order(bone)
                own, other = to_euler(poses.rotation[:, bone], order), to_euler(targets.rotation[:, bone], order)
                steps[:, place] = other - own
            elif self.by_components[bone]:
                steps[:, place] = np.einsum("tab,ta->tb", self._ways(poses.rotation[:, bone], bone), steps[:, place])
        steps[:, self.parts[1]] = targets.location[:, moved] - poses.location[:, moved]
        steps[:, self.parts[2], 0] = np.log(targets.growth[:, scaled] / poses.growth[:, scaled])
        return steps

    def _bones(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Those that turn, move and scale."""
        return np.flatnonzero(self.turned), np.flatnonzero(self.moved), np.flatnonzero(self.scaled)

    def _grown(self, growth: np.ndarray) -> np.ndarray:
        """Of the bones that scale, within their limits."""
        return np.clip(growth, self.armature.scale_low[self.scaled], self.armature.scale_high[self.scaled])

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
