"""A skeleton guessed from skin weights and poses, since the rigs' files store skinning matrices only.

Joints that hold neighbouring parts of the surface are linked, and turn about the place where the parts meet.
J joints, N vertices, F faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WELD = 1e-3  # of the longest side: vertices closer than this count as one
SAME_MOTION = 1e-3  # of the longest side: joints whose motions differ by less move as one
SAMPLES = 24  # vertices of a joint that are looked at to find its nearest neighbour


@dataclass(frozen=True)
class Skeleton:
    """leaders (J,): the joint whose motion each joint shares, itself mostly. parents (J,): of leaders; J for the root
    and for joints that are no leaders. pivots (J, 3): where a leader turns, in its own bind space."""

    leaders: np.ndarray
    parents: np.ndarray
    pivots: np.ndarray


def guess_skeleton(
    positions: np.ndarray, faces: np.ndarray, weights: np.ndarray, rest: np.ndarray, poses: np.ndarray
) -> Skeleton:
    """positions (N, 3): posed by `rest`. weights (N, J). rest (J, 3, 4), poses (Q, J, 3, 4): skinning matrices."""
    size = float(np.ptp(positions, axis=0).max())
    leaders = _joints_that_move_alike(positions, weights, rest, poses, SAME_MOTION * size)
    grouped = np.zeros_like(weights)
    for joint, leader in enumerate(leaders):
        grouped[:, leader] += weights[:, joint]
    score, meeting = _where_parts_meet(positions, faces, grouped, WELD * size)
    active = np.flatnonzero(grouped.sum(axis=0) > 1e-4)
    parents = np.full(len(leaders), len(leaders))
    pivots = np.zeros((len(leaders), 3))
    _link(active, grouped, score, meeting, parents, pivots, positions)
    return Skeleton(leaders, parents, _to_bind_space(pivots, rest))


def _joints_that_move_alike(
    positions: np.ndarray, weights: np.ndarray, rest: np.ndarray, poses: np.ndarray, tolerance: float
) -> np.ndarray:
    """(J,): for each joint the first joint with the same motion relative to the rest pose, over all poses."""
    count = rest.shape[0]
    relative = _as_square(poses) @ np.linalg.pinv(_as_square(rest))
    low, high = positions.min(axis=0), positions.max(axis=0)
    corners = np.array(
        [[x, y, z, 1.0] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )
    moved = np.einsum("qjab,cb->jqca", relative[:, :, :3], corners).reshape(count, -1)
    used = weights.sum(axis=0) > 1e-4
    leaders = np.arange(count)
    for joint in range(count):
        for earlier in range(joint):
            same = leaders[earlier] == earlier and used[earlier] and used[joint]
            if same and np.abs(moved[joint] - moved[earlier]).max() < tolerance:
                leaders[joint] = earlier
                break
    return leaders


def _where_parts_meet(
    positions: np.ndarray, faces: np.ndarray, weights: np.ndarray, weld: float
) -> tuple[np.ndarray, np.ndarray]:
    """How much surface two joints share, (J, J), and the weighted sum of its places, (J, J, 3)."""
    _, welded = np.unique(np.round(positions / weld).astype(np.int64), axis=0, return_inverse=True)
    welded = welded.reshape(-1)
    count = np.bincount(welded).astype(float)[:, None]
    merged = np.stack([np.bincount(welded, column) for column in weights.T], axis=1) / count
    places = np.stack([np.bincount(welded, column) for column in positions.T], axis=1) / count
    edges = np.unique(np.sort(np.concatenate([welded[faces[:, [i, (i + 1) % 3]]] for i in range(3)]), axis=1), axis=0)
    first = np.concatenate([np.arange(len(merged)), edges[:, 0], edges[:, 1]])
    second = np.concatenate([np.arange(len(merged)), edges[:, 1], edges[:, 0]])
    middle = (places[first] + places[second]) / 2
    score = merged[first].T @ merged[second]
    meeting = np.stack([(merged[first] * middle[:, axis : axis + 1]).T @ merged[second] for axis in range(3)], axis=-1)
    return score, meeting


def _link(
    active: np.ndarray,
    weights: np.ndarray,
    score: np.ndarray,
    meeting: np.ndarray,
    parents: np.ndarray,
    pivots: np.ndarray,
    positions: np.ndarray,
) -> None:
    """Fills parents and pivots (in the rest pose) by a tree of the strongest links, from the largest part outwards."""
    holders = weights.argmax(axis=1)
    samples: dict[int, np.ndarray] = {}
    for joint in active:
        own = np.flatnonzero(holders == joint)
        own = own if len(own) else weights[:, joint].argsort()[-4:]
        samples[joint] = positions[own[np.linspace(0, len(own) - 1, min(SAMPLES, len(own))).astype(int)]]
    root = int(active[weights[:, active].sum(axis=0).argmax()])
    pivots[root] = samples[root].mean(axis=0)
    inside, outside = [root], [int(joint) for joint in active if joint != root]
    while outside:
        block = score[np.ix_(inside, outside)]
        if block.max() > 1e-3:
            i, j = np.unravel_index(block.argmax(), block.shape)
            parent, child = inside[i], outside[j]
            pivots[child] = meeting[parent, child] / score[parent, child]
        else:
            parent, child, pivots[child] = _nearest(samples, inside, outside)
        parents[child] = parent
        inside.append(child)
        outside.remove(child)


def _nearest(samples: dict[int, np.ndarray], inside: list[int], outside: list[int]) -> tuple[int, int, np.ndarray]:
    """The closest pair of an inner and an outer joint, and the place between them."""
    ours = np.concatenate([samples[joint] for joint in inside])
    theirs = np.concatenate([samples[joint] for joint in outside])
    our_joint = np.repeat(inside, [len(samples[joint]) for joint in inside])
    their_joint = np.repeat(outside, [len(samples[joint]) for joint in outside])
    distances = np.linalg.norm(ours[:, None] - theirs[None], axis=-1)
    i, j = np.unravel_index(distances.argmin(), distances.shape)
    return int(our_joint[i]), int(their_joint[j]), (ours[i] + theirs[j]) / 2


def _to_bind_space(points: np.ndarray, rest: np.ndarray) -> np.ndarray:
    inverse = np.linalg.pinv(_as_square(rest))
    return np.einsum("jab,jb->ja", inverse, np.c_[points, np.ones(len(points))])[:, :3]


def _as_square(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 4) -> (..., 4, 4) float64."""
    last = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (*matrices.shape[:-2], 1, 4))
    return np.concatenate([matrices.astype(np.float64), last], axis=-2)
