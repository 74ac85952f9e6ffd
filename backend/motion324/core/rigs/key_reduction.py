"""Leaves out keys of bones that the mesh does not need: no vertex moves by more than a tolerance.

A bone's keys are those of its location, rotation and scale together. Between keys, engines and Blender go in a straight
line; rotations on the shortest way, as quaternions, or by angles, as FBX has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.core.motion.quaternions import from_quaternion, to_quaternion
from motion324.core.rigs.moving_rig import BoneCurves, MovingRig

ROUNDS = 6  # of looking what the mesh does, and allowing more or less
MEASURED = 3000  # vertices that are looked at
CAUTION = 0.9  # of the tolerance is aimed at


@dataclass(frozen=True)
class ReducedKeys:
    """frames: of every bone, the frames (M,) that have a key; a single one of a bone that does not move.
    largest: how far a vertex is off in any frame, in metres. share: of the keys that are left.
    """

    frames: tuple[np.ndarray, ...]
    largest: float
    share: float


def all_keys(rig: MovingRig) -> ReducedKeys:
    """A key in every frame."""
    count = len(rig.curves)
    return ReducedKeys(tuple(np.arange(count) for _ in rig.names), 0.0, 1.0)


@dataclass(frozen=True)
class FileAngles:
    """Rotations of bones below their parents as a file has them: angles (T, J, 3) in radians about X, then Y, then Z of
    the parent, without leaps. rest (J, 3, 3): what of them is the rest pose's.
    """

    angles: np.ndarray
    rest: np.ndarray

    def quaternions(self, angles: np.ndarray, j: int) -> np.ndarray:
        """(M, 3) -> (M, 4): relative to the rest pose of bone j."""
        return to_quaternion(self.rest[j].T @ _turns(angles))


def _turns(angles: np.ndarray) -> np.ndarray:
    """(M, 3) -> (M, 3, 3)."""
    found = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for axis in range(3):
        quaternions = np.zeros((len(angles), 4))
        quaternions[:, 0], quaternions[:, 1 + axis] = np.cos(angles[:, axis] / 2), np.sin(angles[:, axis] / 2)
        found = from_quaternion(quaternions) @ found
    return found


def reduce_keys(rig: MovingRig, tolerance: float, angles: FileAngles | None = None) -> ReducedKeys:
    """tolerance: the largest distance in metres that a vertex may be off in any frame. angles: if a file keys them."""
    if tolerance <= 0:
        return all_keys(rig)
    chosen = np.unique(np.linspace(0, len(rig.positions) - 1, MEASURED).round().astype(int))
    truth = rig.skinned(rig.matrices(), chosen)
    reach, depth = _reaches(rig), _depths(rig.parents)
    best, allowed, low, high = all_keys(rig), tolerance, 0.0, np.inf
    for _ in range(ROUNDS):
        frames = tuple(_kept(rig.curves, j, reach[j], allowed / depth[j], angles) for j in range(len(rig.names)))
        shown = rig.skinned(rig.matrices(between_keys(rig.curves, frames, angles)), chosen)
        largest = float(np.linalg.norm(shown - truth, axis=-1).max())
        share = sum(len(each) for each in frames) / (len(frames) * len(rig.curves))
        if largest <= tolerance:
            low = allowed
            if share <= best.share:
                best = ReducedKeys(frames, largest, share)
        else:
            high = allowed
        wanted = allowed * CAUTION * tolerance / max(largest, 1e-12)
        allowed = min(max(wanted, 2 * low), 8 * allowed) if high == np.inf else (low + high) / 2
    return best


def between_keys(curves: BoneCurves, frames: tuple[np.ndarray, ...], angles: FileAngles | None = None) -> BoneCurves:
    """What is shown in all frames where only those of each bone have keys."""
    shown = BoneCurves(curves.location.copy(), curves.rotation.copy(), curves.scale.copy())
    for j, kept in enumerate(frames):
        shown.location[:, j] = _straight(curves.location[kept, j], kept, len(curves))
        shown.rotation[:, j] = _turned(curves, j, angles, kept, 0, len(curves) - 1)
        shown.scale[:, j] = _straight(curves.scale[kept, j], kept, len(curves))
    return shown


def _turned(
    curves: BoneCurves, j: int, angles: FileAngles | None, kept: np.ndarray, start: int, end: int
) -> np.ndarray:
    """(end - start + 1, 4): the rotations of bone j between keys at the frames kept, not all of unit length."""
    count = end - start + 1
    if angles is None:
        return _straight(curves.rotation[kept, j], kept - start, count)
    return angles.quaternions(_straight(angles.angles[kept, j], kept - start, count), j)


def _straight(values: np.ndarray, kept: np.ndarray, count: int) -> np.ndarray:
    """values (M, C) at the frames kept (M,) -> (count, C)."""
    if len(kept) == 1:
        return np.repeat(values, count, axis=0)
    segment = np.clip(np.searchsorted(kept, np.arange(count), side="right") - 1, 0, len(kept) - 2)
    part = ((np.arange(count) - kept[segment]) / (kept[segment + 1] - kept[segment]))[:, None]
    return (1 - part) * values[segment] + part * values[segment + 1]


def _kept(curves: BoneCurves, j: int, reach: float, allowed: float, angles: FileAngles | None) -> np.ndarray:
    """The frames of bone j that have keys: where the straight line is off the most, another one is put, until it is off
    by no more than `allowed` (Ramer, Douglas and Peucker)."""
    last = len(curves) - 1
    if _off(curves, j, angles, np.zeros(1, int), 0, last, reach).max() <= allowed:
        return np.zeros(1, np.int64)
    keys, open_spans = {0, last}, [(0, last)]
    while open_spans:
        start, end = open_spans.pop()
        if end - start < 2:
            continue
        off = _off(curves, j, angles, np.array([start, end]), start, end, reach)
        worst = int(off.argmax())
        if off[worst] > allowed:
            keys.add(start + worst)
            open_spans += [(start, start + worst), (start + worst, end)]
    return np.array(sorted(keys), np.int64)


def _off(
    curves: BoneCurves, j: int, angles: FileAngles | None, kept: np.ndarray, start: int, end: int, reach: float
) -> np.ndarray:
    """(end - start + 1,): how far a vertex of the bone is off at most between keys at the frames kept."""
    frames, count = slice(start, end + 1), end - start + 1
    place, turn, size = curves.location[frames, j], curves.rotation[frames, j], curves.scale[frames, j]
    near = _straight(curves.location[kept, j], kept - start, count)
    turned = _turned(curves, j, angles, kept, start, end)
    sized = _straight(curves.scale[kept, j], kept - start, count)
    cosine = np.abs((turn * turned).sum(axis=1)) / np.maximum(np.linalg.norm(turned, axis=1), 1e-12)
    angle = 2 * np.arccos(np.clip(cosine, 0, 1))
    angle[cosine > 1 - 1e-13] = 0
    return np.linalg.norm(place - near, axis=1) + reach * (2 * np.sin(angle / 2) + np.abs(size - sized).max(axis=1))


def _reaches(rig: MovingRig) -> np.ndarray:
    """(J,): how far from its head a bone, or one below it, moves a vertex, in any frame."""
    heads = rig.matrices()[:, :, :3, 3]
    reach = np.zeros(len(rig.names))
    for j in reversed(range(len(rig.names))):
        mine = ((rig.joints == j) & (rig.weights > 0)).any(axis=1)
        if mine.any():
            own = np.linalg.norm(rig.positions[mine] - rig.rest[j, :3, 3], axis=1).max()
            reach[j] = max(reach[j], float(own) * max(1.0, float(rig.curves.scale[:, j].max())))
        parent = rig.parents[j]
        if parent >= 0 and reach[j] > 0:
            between = np.linalg.norm(heads[:, j] - heads[:, parent], axis=1).max()
            reach[parent] = max(reach[parent], reach[j] + float(between))
    return reach


def _depths(parents: np.ndarray) -> np.ndarray:
    """(J,): how many bones a chain through the bone has at most; what they are off may add up."""
    above = np.ones(len(parents))
    below = np.zeros(len(parents))
    for j, parent in enumerate(parents):
        above[j] = above[parent] + 1 if parent >= 0 else 1
    for j in reversed(range(len(parents))):
        if parents[j] >= 0:
            below[parents[j]] = max(below[parents[j]], below[j] + 1)
    return above + below
