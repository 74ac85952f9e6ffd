"""Turns models whose vertices are stored anew for each key pose into skinned ones.

Parts that move as one become joints, as bones are made from a result's motion, but free of each other: nothing has to
hang together here. Joints and weights are found in turn (Le and Deng, "Smooth Skinning Decomposition with Rigid Bones",
2012, sections 4.1 to 4.3). N vertices, F faces, J joints, T key poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from motion324.rigging.body import body_of
from motion324.rigging.moving_parts import part_motion, split_into_parts
from motion324.rigging.rotations import nearest_rotation
from motion324.rigging.weight_fit import fit_weights, neighbour_means

COUNTS = (6, 9, 12, 16, 20, 26, 32)  # of joints, tried one after another
TOLERANCE = 0.005  # of the longest side: mean distance to the vertices' own places
GOOD = 0.003  # likewise: no more joints are needed
SAMPLE = 800  # vertices that are cut into parts
KEYS = 40  # poses, evenly spaced, from which parts and weights are found
SMOOTHNESS = 1e-5  # of weights beside squared distances, see weight_fit
REACH = 0.3  # of the longest side: how far along the surface from its part a joint moves vertices
ROUNDS = 2  # of joints' poses and weights in turn
INFLUENCES = 4
POSES_A_SECOND = 24


@dataclass(frozen=True)
class KeyedSkin:
    """joints (N, 4), weights (N, 4). turns (T, J, 3, 3) and shifts (T, J, 3): from the rest pose to the key poses.
    centres (J, 3): the joints' middles in the rest pose. error: mean distance to the vertices, in longest sides.
    """

    joints: np.ndarray
    weights: np.ndarray
    turns: np.ndarray
    shifts: np.ndarray
    centres: np.ndarray
    error: float

    def clip(self, keys: slice, seconds: float, goes_round: bool) -> np.ndarray:
        """Some of the key poses, evenly spaced over the seconds -> skinning matrices (P, J, 3, 4), POSES_A_SECOND.

        goes_round: from the last one back to the first. Joints turn about their centres, which go straight on.
        """
        turns, shifts = self.turns[keys], self.shifts[keys]
        places = np.einsum("tjab,jb->tja", turns, self.centres) + shifts
        if goes_round:
            turns, places = np.concatenate([turns, turns[:1]]), np.concatenate([places, places[:1]])
        poses = max(2, round(seconds * POSES_A_SECOND))
        times = np.linspace(0, len(turns) - 1, poses, endpoint=not goes_round)
        before = np.minimum(times.astype(int), len(turns) - 2)
        share = (times - before)[:, None, None]
        places = places[before] * (1 - share) + places[before + 1] * share
        turned = np.stack(
            [
                Slerp(np.arange(len(turns)), Rotation.from_matrix(turns[:, joint]))(times).as_matrix()
                for joint in range(turns.shape[1])
            ],
            axis=1,
        )
        moved = places - np.einsum("tjab,jb->tja", turned, self.centres)
        return np.concatenate([turned, moved[..., None]], axis=-1)


def skin_of_motion(rest: np.ndarray, keys: np.ndarray, faces: np.ndarray) -> KeyedSkin:
    """rest (N, 3), keys (T, N, 3): places of the vertices. The skin with the fewest joints that is good, or the best.

    Its error is not held to TOLERANCE: whoever asks decides.
    """
    low, high = rest.min(axis=0), rest.max(axis=0)
    centre, scale = (low + high) / 2, float((high - low).max())
    still, moving = (rest - centre) / scale, (keys - centre) / scale
    few = moving[np.unique(np.linspace(0, len(moving) - 1, KEYS).astype(int))]
    looks = np.concatenate([still[None], few[[len(few) // 3, len(few) // 2, -1]]])
    alike = np.round(np.moveaxis(looks, 1, 0).reshape(len(rest), -1) * 1e4).astype(np.int64)
    _, firsts, same = np.unique(alike, axis=0, return_index=True, return_inverse=True)
    same = same.reshape(-1)
    joined = same[faces]
    whole = (joined[:, 0] != joined[:, 1]) & (joined[:, 1] != joined[:, 2]) & (joined[:, 2] != joined[:, 0])
    body = body_of(still[firsts], joined[whole])
    ordered = np.sort(firsts)
    sample = ordered[np.unique(np.linspace(0, len(ordered) - 1, SAMPLE).astype(int))]
    near = body.among(same[sample])
    neighbours = neighbour_means(len(same), faces, same)
    labels, best = None, None
    for count in COUNTS:
        before = -1 if labels is None else labels.max()
        labels = split_into_parts(still[sample], few[:, sample], near, count, labels)
        if labels.max() == before:
            break  # nothing is left to be split
        away = np.stack(
            [body.away_from(same[sample][labels == part], REACH) for part in range(labels.max() + 1)], axis=1
        )
        away[~np.isfinite(away).any(axis=1)] = 0.0
        turns, shifts = part_motion(still[sample], few[:, sample], labels)
        for turn in range(ROUNDS + 1):
            maps = np.concatenate([turns, shifts[..., None]], axis=-1)
            skin = fit_weights(still, few, maps, neighbours, INFLUENCES, SMOOTHNESS, away=away[same])
            full = np.zeros((len(rest), maps.shape[1]))
            np.add.at(full, (np.arange(len(rest))[:, None], skin.joints), skin.weights)
            if turn < ROUNDS:
                turns, shifts = refined_motion(still, few, full, turns, shifts)
        result = _with_all_keys(still, moving, labels, sample, skin.joints, full)
        if best is None or result.error < best.error:
            best = result
        if best.error < GOOD:
            break
    assert best is not None
    shifts = best.shifts * scale + centre - np.einsum("tjab,b->tja", best.turns, centre)
    return KeyedSkin(best.joints, best.weights, best.turns, shifts, best.centres * scale + centre, best.error)


def _with_all_keys(
    still: np.ndarray, moving: np.ndarray, labels: np.ndarray, sample: np.ndarray, joints: np.ndarray, full: np.ndarray
) -> KeyedSkin:
    """The joints' poses of all keys, by the weights (N, J)."""
    turns, shifts = part_motion(still[sample], moving[:, sample], labels)
    for _ in range(ROUNDS + 1):
        turns, shifts = refined_motion(still, moving, full, turns, shifts)
    apart = np.linalg.norm(blended(still, full, turns, shifts) - moving, axis=2)
    centres = (full.T @ still) / np.maximum(full.sum(axis=0), 1e-9)[:, None]
    wide = np.zeros((len(still), INFLUENCES), np.int64)
    wide[:, : joints.shape[1]] = joints
    weights = np.take_along_axis(full, wide, axis=1)
    weights[:, joints.shape[1] :] = 0.0
    return KeyedSkin(wide, weights, turns, shifts, centres, float(apart.mean()))


def refined_motion(
    rest: np.ndarray, positions: np.ndarray, full: np.ndarray, turns: np.ndarray, shifts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each joint's best rigid motion while the others stay as they are; full (N, J): weights."""
    turns, shifts = turns.copy(), shifts.copy()
    left = positions - blended(rest, full, turns, shifts)
    for joint in range(full.shape[1]):
        held = np.flatnonzero(full[:, joint] > 1e-3)
        weight = full[held, joint]
        if len(held) < 3:
            continue
        places = rest[held]
        own = np.einsum("tab,nb->tna", turns[:, joint], places) + shifts[:, None, joint]
        asked = left[:, held] + weight[:, None] * own
        total = (weight**2).sum()
        middle = (weight**2)[:, None] * places
        middle = middle.sum(axis=0) / total
        target = (weight[:, None] * asked).sum(axis=1) / total
        spread = np.einsum(
            "tna,nb->tab", weight[:, None] * asked - (weight**2)[:, None] * target[:, None], places - middle
        )
        turns[:, joint] = nearest_rotation(spread)
        shifts[:, joint] = target - turns[:, joint] @ middle
        now = np.einsum("tab,nb->tna", turns[:, joint], places) + shifts[:, None, joint]
        left[:, held] += weight[:, None] * (own - now)
    return turns, shifts


def blended(rest: np.ndarray, full: np.ndarray, turns: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """(T, N, 3): the vertices, moved by the joints with weights (N, J)."""
    moved = np.zeros((len(turns), len(rest), 3))
    for joint in range(full.shape[1]):
        held = np.flatnonzero(full[:, joint])
        own = np.einsum("tab,nb->tna", turns[:, joint], rest[held]) + shifts[:, None, joint]
        moved[:, held] += full[held, joint, None] * own
    return moved
