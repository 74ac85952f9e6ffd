"""Rigs as plain data for the tests: chains of bones, random poses of them, and what a skinned mesh does meanwhile."""

from __future__ import annotations

import dataclasses

import numpy as np

from motion324.core.rigs.rig import Armature, Skin
from motion324.rigging.kinematics import Chain, Poses
from motion324.rigging.rotations import from_vector
from motion324.rigging.skinning import Basis

PARENTS = (-1, 0, 1, 2, 1, 4, 0)


def armature(parents=PARENTS, seed: int = 0, **changes) -> Armature:
    """Bones of random directions, each some way from its parent; free to turn, and all but connected to move."""
    rng = np.random.default_rng(seed)
    count = len(parents)
    rest = np.tile(np.eye(4), (count, 1, 1))
    rest[:, :3, :3] = from_vector(rng.normal(size=(count, 3)))
    for j, parent in enumerate(parents):
        rest[j, :3, 3] = (rest[parent, :3, 3] if parent >= 0 else 0) + rng.normal(0, 0.3, 3)
    names = tuple(f"bone {j}" for j in range(count))
    made = Armature.of_free_bones(names, np.array(parents), rest, np.full(count, 0.3))
    return dataclasses.replace(made, **changes)


def cloud(rig: Armature, per_bone: int = 30, seed: int = 0) -> Skin:
    """Vertices about the bones, each held by its own and by that one's parent."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(rig.count), per_bone)
    positions = rig.rest[owners, :3, 3] + rng.normal(0, 0.12, (len(owners), 3))
    share = rng.uniform(0.5, 1, len(owners))
    others = np.where(rig.parents[owners] < 0, owners, rig.parents[owners])
    return Skin(
        positions.astype(np.float32),
        np.stack([owners, others], axis=1).astype(np.int32),
        np.stack([share, 1 - share], axis=1).astype(np.float32),
    )


def swing(
    rig: Armature, frames: int = 10, turn: float = 0.6, move: float = 0.0, grow: float = 0.0, seed: int = 1
) -> Poses:
    """Every bone swings about an axis of its own; the root travels, with `move` the others slide, too, and with `grow`
    all grow and shrink.
    """
    rng = np.random.default_rng(seed)
    axes, phases = rng.normal(0, turn, (rig.count, 3)), rng.uniform(0, 6, rig.count)
    time = np.arange(frames)[:, None]
    angles = np.sin(0.4 * time + phases) - np.sin(phases)
    slides = rng.normal(0, move, (rig.count, 3)) * angles[..., None]
    slides[:, 0] += 0.05 * time * np.array([1, 0.5, -0.2])
    return Poses(from_vector(axes * angles[..., None]), slides, np.exp(rng.normal(0, grow, rig.count) * angles))


def trajectory(rig: Armature, skin: Skin, poses: Poses) -> np.ndarray:
    """(T, N, 3) float32: where the poses bring the vertices."""
    chain, basis = Chain(rig), Basis.of(skin, rig.count)
    maps = chain.skinning(chain.place(poses))
    return basis.skinned(maps).astype(np.float32)


def tube(segments: int = 24, around: int = 8, length: float = 3.0):
    """A long tube along X: positions (N, 3) and faces (F, 3)."""
    x = np.repeat(np.linspace(0, length, segments), around)
    angle = np.tile(np.linspace(0, 2 * np.pi, around, endpoint=False), segments)
    positions = np.stack([x, 0.2 * np.cos(angle), 0.2 * np.sin(angle)], axis=1)
    ring = np.arange(around)
    quads = [
        (s * around + a, s * around + (a + 1) % around, (s + 1) * around + (a + 1) % around, (s + 1) * around + a)
        for s in range(segments - 1)
        for a in ring
    ]
    return positions, np.array([f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))])


def bending(positions, frames: int = 12):
    """The tube's two joints, at a third and at two thirds, bend; weights go over within a short way."""
    moved = []
    share = [np.clip((positions[:, :1] - at) / 0.3 + 0.5, 0, 1) for at in (1.0, 2.0)]
    for t in range(frames):
        first = from_vector(np.array([0, 0, 0.5 * np.sin(0.5 * t)]))
        second = first @ from_vector(np.array([0, 0.6 * np.sin(0.4 * t), 0]))
        knee = np.array([1.0, 0, 0])
        heel = knee + first @ np.array([1.0, 0, 0])
        middle = knee + (positions - knee) @ first.T
        end = heel + (positions - [2.0, 0, 0]) @ second.T
        base = (1 - share[0]) * positions + share[0] * middle
        moved.append((1 - share[1]) * base + share[1] * end + 0.05 * t)
    return np.array(moved, np.float32)
