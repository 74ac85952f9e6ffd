"""Gauss and Newton's part of the Hessian, by the units' numbers, from the sums over vertices of bones that meet.

Every pair of bones that hold a vertex together has a block of 6 x 6 (7 x 7 where bones scale) by their twists; a
parent's are the sums of its children's. This is the plain form, which needs numpy only; hessian_kernel.py has the same
compiled.

T frames, J bones, P pairs, U units.
"""

from __future__ import annotations

import numpy as np

from motion324.rigging.kinematics import Chain, Placed
from motion324.rigging.rotations import cross_matrix


def meeting_pairs(gram: np.ndarray, joints: int) -> tuple[np.ndarray, np.ndarray]:
    """gram (4J, 4J) -> two (P,): the pairs of bones that hold a vertex together, each with itself too."""
    one, two = np.nonzero(gram.reshape(joints, 4, joints, 4)[:, 3, :, 3] > 0)
    return one, two


def plain_hessians(
    chain: Chain,
    placed: Placed,
    maps: np.ndarray,
    screws: np.ndarray,
    gram: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray],
    units: np.ndarray,
) -> np.ndarray:
    """maps (T, J, 3, 4), screws (T, U, 6 or 7, 3), gram (4J, 4J), pairs: two (P,), units (U,) -> (T, 3U, 3U)."""
    joints, count, twist = chain.armature.count, len(maps), screws.shape[2]
    one, two = pairs
    shared = gram.reshape(joints, 4, joints, 4)[one, :, two]  # (P, 4, 4)
    places = maps[:, one] @ shared  # (T, P, 3, 4)
    products = places @ np.swapaxes(maps[:, two], -1, -2)
    firsts, seconds = places[..., 3], np.einsum("pb,tpab->tpa", shared[:, 3], maps[:, two])
    blocks = np.empty((count, len(one), 7, 7))
    trace = np.trace(products, axis1=-2, axis2=-1)
    blocks[..., :3, :3] = trace[..., None, None] * np.eye(3) - np.swapaxes(products, -1, -2)
    blocks[..., :3, 3:6] = cross_matrix(firsts)
    blocks[..., 3:6, :3] = -cross_matrix(seconds)
    blocks[..., 3:6, 3:6] = shared[:, 3, 3, None, None] * np.eye(3)
    across = np.stack([products[..., a, b] - products[..., b, a] for a, b in ((1, 2), (2, 0), (0, 1))], axis=-1)
    blocks[..., :3, 6], blocks[..., 6, :3] = across, -across
    blocks[..., 3:6, 6], blocks[..., 6, 3:6], blocks[..., 6, 6] = seconds, firsts, trace
    by_twists = np.zeros((count, joints, twist, joints, twist))
    for pair, (j, k) in enumerate(zip(one, two, strict=True)):  # one indexed assignment takes ten times as long
        by_twists[:, j, :, k] = blocks[:, pair, :twist, :twist]
    chain.fold(by_twists, placed, 1)
    turned = np.ascontiguousarray(np.swapaxes(screws, -1, -2))  # (T, U, 3, 6 or 7)
    rows = turned @ by_twists[:, units].reshape(count, len(units), twist, joints * twist)
    rows = rows.reshape(count, 3 * len(units), joints, twist)
    chain.fold(rows, placed, 2)
    columns = np.ascontiguousarray(np.swapaxes(rows[:, :, units], 1, 2)) @ screws  # (T, U, 3U, 3)
    return np.ascontiguousarray(np.swapaxes(columns, 1, 2)).reshape(count, 3 * len(units), 3 * len(units))
