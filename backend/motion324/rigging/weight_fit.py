"""Skin weights for given bones: what each vertex's trajectory asks for, drawn to its neighbours', few and clean.

For every vertex a least squares fit over the simplex (weights of at least 0 that sum to 1), as in Le and Deng's "Smooth
Skinning Decomposition with Rigid Bones" (2012), by projected gradients. N vertices, T frames, J bones, C candidates, K
weights.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from motion324.core.rigs.rig import Skin

CANDIDATES = 8
STEPS = 60  # of projected gradients
SWEEPS = 3  # in which neighbours hear of each other
NEAR = 0.03  # of the longest side: a bone farther away by that begins with a third of the weight
LEAST = 0.02  # a weight that is smaller is no weight
NEVER = -1e6  # so far below the others that its projection is 0
BATCH = 4096  # vertices at a time


def fit_weights(
    rest: np.ndarray,
    positions: np.ndarray,
    maps: np.ndarray,
    neighbours: sparse.csr_matrix,
    influences: int,
    smoothness: float,
    tick: Callable[[], None] = lambda: None,
    away: np.ndarray | None = None,
) -> Skin:
    """rest (N, 3), positions (T, N, 3); maps (T, J, 3, 4): from rest to the bones. neighbours (N, N): rows sum to 1.

    away (N, J): how far each bone's part is from a vertex, so that of bones that move alike the nearest counts; never
    all infinite, which is where a bone must not move it.
    smoothness: of a weight's squared difference to its neighbours' mean, beside squared distances per frame.
    """
    count, width = len(rest), min(CANDIDATES, maps.shape[1])
    joints, shut = np.empty((count, width), np.int32), np.zeros((count, width), bool)
    grams = np.empty((count, width, width))
    pulls = np.empty((count, width))
    for first in range(0, count, BATCH):
        tick()
        part = slice(first, min(first + BATCH, count))
        some = None if away is None else np.isfinite(away[part])
        joints[part], grams[part], pulls[part] = _sums(rest[part], positions[:, part], maps, width, some)
    frames = len(positions)
    strength = smoothness * frames
    start = np.ones((count, width))
    if away is not None:  # where bones move alike, what the fit begins with decides
        chosen = np.take_along_axis(away, joints.astype(np.int64), axis=1)
        shut = ~np.isfinite(chosen)
        start = np.exp(-(chosen - chosen.min(axis=1, keepdims=True)) / NEAR)
    weights = _on_simplex(grams, pulls, start / start.sum(axis=1, keepdims=True), shut)
    for _ in range(SWEEPS):
        tick()
        around = _seen_from(joints, neighbours @ _dense(joints, weights, maps.shape[1]))
        weights = _on_simplex(grams + strength * np.eye(width), pulls + strength * around, weights, shut)
    keep = min(influences, width)
    order = np.argsort(-weights, axis=1)[:, :keep]
    rows = np.arange(count)[:, None]
    joints, weights, shut = joints[rows, order], weights[rows, order], shut[rows, order]
    weights = weights / weights.sum(axis=1, keepdims=True)
    around = _seen_from(joints, neighbours @ _dense(joints, weights, maps.shape[1]))
    grams = grams[rows[:, :, None], order[:, :, None], order[:, None]] + strength * np.eye(keep)
    weights = _on_simplex(grams, pulls[rows, order] + strength * around, weights, shut)
    weights[weights < LEAST] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    return Skin(rest.astype(np.float32), joints, weights.astype(np.float32))


def neighbour_means(count: int, faces: np.ndarray, same: np.ndarray) -> sparse.csr_matrix:
    """(N, N): the mean over a vertex's neighbours; vertices of one place (`same` (N,): its number) share theirs."""
    edges = np.asarray(faces)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    places = int(same.max()) + 1
    member = sparse.csr_matrix((np.ones(count), (np.arange(count), same)), shape=(count, places))
    one, two = same[edges[:, 0]], same[edges[:, 1]]
    links = sparse.csr_matrix((np.ones(2 * len(one)), (np.r_[one, two], np.r_[two, one])), shape=(places, places))
    links.data[:] = 1.0
    links = links + sparse.identity(places)
    inside = sparse.diags(1 / np.maximum(np.asarray(member.sum(axis=0)).ravel(), 1)) @ member.T  # place <- its vertices
    mean = sparse.diags(1 / np.asarray(links.sum(axis=1)).ravel()) @ links
    return (member @ mean @ inside).tocsr()


def _sums(
    rest: np.ndarray, positions: np.ndarray, maps: np.ndarray, width: int, allowed: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bones that alone bring each vertex nearest (n, C), and A'A (n, C, C) and A'y (n, C) of their offsets."""
    places = np.c_[rest, np.ones(len(rest))]
    joints = maps.shape[1]
    costs = np.empty((len(rest), joints))
    for j in range(joints):
        costs[:, j] = np.square(places @ np.swapaxes(maps[:, j], -1, -2) - positions).sum(axis=(0, 2))
    ranked = costs if allowed is None else np.where(allowed, costs, np.inf)
    chosen = np.argsort(ranked, axis=1)[:, :width]
    moved = np.empty((len(rest), width, 3 * len(maps)))
    for j in range(joints):
        vertices, slots = np.nonzero(chosen == j)
        if len(vertices):
            there = places[vertices] @ np.swapaxes(maps[:, j], -1, -2) - positions[:, vertices]
            moved[vertices, slots] = np.moveaxis(there, 0, 1).reshape(len(vertices), -1)
    # Relative to the target: the weights sum to 1, so the target's pull is in the offsets already.
    return chosen.astype(np.int32), moved @ np.swapaxes(moved, -1, -2), np.zeros((len(rest), width))


def _on_simplex(grams: np.ndarray, pulls: np.ndarray, start: np.ndarray, shut: np.ndarray) -> np.ndarray:
    """The least of w'Gw/2 - p'w for w of at least 0 that sum to 1, by Beck and Teboulle's accelerated gradients.

    shut (n, C) bool: what stays 0.
    """
    pace = 1 / np.maximum(np.abs(grams).sum(axis=2).max(axis=1), 1e-20)[:, None]
    weights, ahead, momentum = start, start, 1.0
    for _ in range(STEPS):
        gradient = np.einsum("nij,nj->ni", grams, ahead) - pulls
        after = _projected(np.where(shut, NEVER, ahead - pace * gradient))
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = after + (momentum - 1) / following * (after - weights)
        weights, momentum = after, following
    return weights


def _projected(values: np.ndarray) -> np.ndarray:
    """(n, C): the nearest points of the simplex (Duchi and others, 2008)."""
    falling = -np.sort(-values, axis=1)
    sums = np.cumsum(falling, axis=1) - 1
    ranks = np.arange(1, values.shape[1] + 1)
    last = (falling - sums / ranks > 0).sum(axis=1) - 1
    shift = sums[np.arange(len(values)), last] / (last + 1)
    return np.maximum(values - shift[:, None], 0)


def _dense(joints: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    full = np.zeros((len(joints), count))
    np.put_along_axis(full, joints.astype(np.int64), weights, axis=1)
    return full


def _seen_from(joints: np.ndarray, full: np.ndarray) -> np.ndarray:
    """What of the weights of all bones is about a vertex's own candidates."""
    return np.take_along_axis(full, joints.astype(np.int64), axis=1)
