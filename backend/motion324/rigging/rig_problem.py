"""A given rig and a trajectory as a fit sees them: in a space of size 1, with a start and with distances.

T frames, N vertices, J bones.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from motion324.core.rigs.rig import Armature, Skin
from motion324.rigging.bone_fit import Sums
from motion324.rigging.freedom import Freedom
from motion324.rigging.kinematics import Chain, Poses
from motion324.rigging.rotations import nearest_rotation
from motion324.rigging.skinning import Basis

FEWEST = 3  # vertices that tell how a bone has turned


@dataclass(frozen=True)
class Problem:
    """The rig in a space in which the trajectory is centred and its longest side is 1."""

    armature: Armature
    skin: Skin
    basis: Basis
    sums: Sums
    positions: np.ndarray
    scale: float


def normalised(armature: Armature, skin: Skin, positions: np.ndarray) -> Problem:
    low, high = positions[0].min(axis=0).astype(np.float64), positions[0].max(axis=0).astype(np.float64)
    centre, scale = (low + high) / 2, max(float((high - low).max()), 1e-12)
    rest = np.array(armature.rest, np.float64)
    rest[:, :3, 3] = (rest[:, :3, 3] - centre) / scale
    small = dataclasses.replace(
        armature,
        rest=rest,
        lengths=armature.lengths / scale,
        location=armature.location / scale,
        location_low=armature.location_low / scale,
        location_high=armature.location_high / scale,
    )
    own = Skin((np.asarray(skin.positions, np.float64) - centre) / scale, skin.joints, skin.weights)
    basis = Basis.of(own, armature.count)
    centred = (np.asarray(positions, np.float64) - centre) / scale
    return Problem(small, own, basis, Sums(basis.gram, *basis.pull(centred)), centred, scale)


def procrustes(problem: Problem, chain: Chain, free: Freedom) -> Poses:
    """Each bone turned as the vertices that it holds most have turned (Kabsch), whatever the pose was before; a start
    that needs no nearness. Bones of too few vertices follow their parents.
    """
    armature, skin = problem.armature, problem.skin
    frames, joints = len(problem.positions), armature.count
    poses = Poses.resting(armature, frames)
    rotation, location = poses.rotation, poses.location
    matrices = np.zeros((frames, joints, 4, 4))
    for j in range(joints):
        held = (np.asarray(skin.joints) == j) & (skin.weights > 0)
        weights = np.where(held, skin.weights, 0.0).sum(axis=1).astype(np.float64) ** 2
        own = np.flatnonzero(weights > 1e-3)
        if free.turned[j] and len(own) >= FEWEST:
            mass = weights[own] / weights[own].sum()
            here, there = skin.positions[own], problem.positions[:, own]
            middle, middles = mass @ here, np.einsum("n,tna->ta", mass, there)
            spread = np.einsum("tna,nb->tab", there * mass[:, None], here - middle)
            flat = np.linalg.svd((here - middle).T * np.sqrt(mass), compute_uv=False)
            if flat[1] > 1e-2 * max(flat[0], 1e-12) and flat[0] > 1e-6:
                turn = nearest_rotation(spread)
                wanted = np.zeros((frames, 4, 4))
                rest = armature.rest[j]
                wanted[:, :3, :3] = turn @ rest[:3, :3]
                wanted[:, :3, 3] = middles + np.einsum("tab,b->ta", turn, rest[:3, 3] - middle)
                scaled, place = chain.own_pose(j, matrices, wanted)
                rotation[:, j] = nearest_rotation(scaled)
                if free.moved[j]:
                    location[:, j] = place
        matrices[:, j] = chain.place_one(j, matrices, poses)
    return poses


def distances(problem: Problem, chain: Chain, poses: Poses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and largest of each frame (T,), and each vertex's largest (N,), in parts of the longest side."""
    maps = chain.skinning(chain.place(poses))
    apart = np.linalg.norm(problem.basis.skinned(maps) - problem.positions, axis=2)
    return apart.mean(axis=1), apart.max(axis=1), apart.max(axis=0)
