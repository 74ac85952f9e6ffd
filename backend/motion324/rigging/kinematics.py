"""From the bones' own rotations, locations and scales to where they are: Blender's rules of parents, in batches of
frames (BKE_bone_parent_transform_calc_from_matrices in its armature.cc).

T frames, J bones. A twist is (6,): an angular velocity and the velocity of the origin, both in armature space; where
bones scale it is (7,), with the growth by its natural logarithm at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.core.motion.quaternions import from_quaternion
from motion324.core.rigs.rig import Armature, RigMotion
from motion324.rigging.rotations import cross_matrix


@dataclass(frozen=True)
class Poses:
    """rotation (T, J, 3, 3) and location (T, J, 3): each bone's own, relative to its rest pose. growth (T, J): by what
    its scale as it stands is multiplied, along all axes.
    """

    rotation: np.ndarray
    location: np.ndarray
    growth: np.ndarray

    @classmethod
    def resting(cls, armature: Armature, frames: int) -> Poses:
        """The pose as it stands, in every frame."""
        rotation, location = from_quaternion(np.asarray(armature.rotation)), np.asarray(armature.location)
        growth = np.ones((frames, armature.count))
        return cls(np.repeat(rotation[None], frames, axis=0), np.repeat(location[None], frames, axis=0), growth)

    @classmethod
    def keyed(cls, armature: Armature, motion: RigMotion) -> Poses:
        """Those that the keys have."""
        growth = (motion.scale / armature.scale).mean(axis=2)
        return cls(from_quaternion(motion.rotation), motion.location, growth)

    def of(self, frames: np.ndarray | slice) -> Poses:
        return Poses(self.rotation[frames], self.location[frames], self.growth[frames])

    def copy(self) -> Poses:
        return Poses(self.rotation.copy(), self.location.copy(), self.growth.copy())

    def put(self, frames: np.ndarray, others: Poses) -> None:
        """Takes over those of the frames."""
        self.rotation[frames] = others.rotation
        self.location[frames] = others.location
        self.growth[frames] = others.growth


@dataclass(frozen=True)
class Placed:
    """Where bones are. matrices (T, J, 4, 4): armature space. turn_frames, move_frames (T, J, 3, 3): the axes that a
    bone's own rotation and location count along, in armature space.
    """

    matrices: np.ndarray
    turn_frames: np.ndarray
    move_frames: np.ndarray


class Chain:
    """The bones of an armature as one chain of parents."""

    def __init__(self, armature: Armature) -> None:
        self.armature = armature
        self.parents = np.asarray(armature.parents)
        rest = np.asarray(armature.rest, np.float64)
        self._rest_inverse = np.linalg.inv(rest)
        own = [rest[j] if p < 0 else self._rest_inverse[p] @ rest[j] for j, p in enumerate(self.parents)]
        self._offsets = np.array(own).reshape(-1, 4, 4)

    def place(self, poses: Poses) -> Placed:
        count = len(poses.rotation)
        joints = self.armature.count
        matrices = np.zeros((count, joints, 4, 4))
        turn_frames = np.empty((count, joints, 3, 3))
        move_frames = np.empty((count, joints, 3, 3))
        for j in range(joints):
            matrices[:, j], turn, move = self._place(j, matrices, poses)
            turn_frames[:, j] = turn / np.linalg.norm(turn, axis=1, keepdims=True)
            move_frames[:, j] = move
        return Placed(matrices, turn_frames, move_frames)

    def place_one(self, joint: int, matrices: np.ndarray, poses: Poses) -> np.ndarray:
        """(T, 4, 4): where a bone is whose parents are placed in `matrices` (T, J, 4, 4)."""
        return self._place(joint, matrices, poses)[0]

    def _place(self, j: int, matrices: np.ndarray, poses: Poses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        base, turn, move = self._base(j, matrices)
        placed = np.zeros((len(matrices), 4, 4))
        scale = poses.growth[:, j, None] * self.armature.scale[j]
        placed[:, :3, :3] = turn @ (poses.rotation[:, j] * scale[:, None])
        placed[:, :3, 3] = base[:, :3, 3] + np.einsum("tab,tb->ta", move, poses.location[:, j])
        placed[:, 3, 3] = 1.0
        return placed, turn, move

    def skinning(self, placed: Placed) -> np.ndarray:
        """(T, J, 3, 4): from the rest pose to where the bones are."""
        return (placed.matrices @ self._rest_inverse)[:, :, :3]

    def own_pose(self, joint: int, matrices: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What rotation (T, 3, 3), with the bone's scale in it, and location (T, 3) put a bone where it is `wanted`
        (T, 4, 4), its parents being placed in `matrices` (T, J, 4, 4)."""
        base, turn, move = self._base(joint, matrices)
        rotation = np.linalg.solve(turn, wanted[:, :3, :3])
        offset = wanted[:, :3, 3] - base[:, :3, 3]
        return rotation, np.linalg.solve(move, offset[..., None])[..., 0]

    def fold(self, twists: np.ndarray, placed: Placed, axis: int) -> np.ndarray:
        """Adds up, in place, what is counted per bone's twist over each bone's children: its twist is one of all that
        hang on it. `axis` of twists is J long, and the one after it 6 or 7.
        """
        by_bone = np.moveaxis(twists, (axis, axis + 1), (1, 2))
        for j in range(self.armature.count - 1, -1, -1):
            parent = self.parents[j]
            if parent < 0:
                continue
            # What a child does not take over of a parent's twist, carries it by the velocity of its head only.
            head, velocity = placed.matrices[:, j, :3, 3], by_bone[:, j, 3:6]
            by_bone[:, parent, 3:6] += velocity
            if self.armature.inherits_rotation[j]:
                by_bone[:, parent, :3] += by_bone[:, j, :3]
            else:
                by_bone[:, parent, :3] += np.einsum("tab,tb...->ta...", cross_matrix(head), velocity)
            if self.armature.inherits_scale[j]:
                by_bone[:, parent, 6:] += by_bone[:, j, 6:]
            elif by_bone.shape[2] > 6:
                by_bone[:, parent, 6] += np.einsum("tb,tb...->t...", head, velocity)
        return twists

    def _base(self, j: int, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where a bone without a pose of its own is (T, 4, 4), and the axes of its rotation and location (T, 3, 3)."""
        armature, parent, count = self.armature, self.parents[j], len(matrices)
        rest = np.asarray(armature.rest[j])
        if parent < 0:
            base = np.repeat(rest[None], count, axis=0)
            turn = base[:, :3, :3]
            return base, turn, turn if armature.local_location[j] else np.broadcast_to(np.eye(3), turn.shape)
        above = matrices[:, parent]
        base = above @ self._offsets[j]
        turn = base[:, :3, :3] if armature.inherits_rotation[j] else np.repeat(rest[None, :3, :3], count, axis=0)
        if armature.inherits_rotation[j] != armature.inherits_scale[j]:
            grown = np.cbrt(np.linalg.det(above[:, :3, :3]))[:, None, None]
            turn = turn * grown if armature.inherits_scale[j] else turn / grown
        return base, turn, base[:, :3, :3] if armature.local_location[j] else above[:, :3, :3]
