"""hessian.plain_hessians, compiled: a frame's blocks stay in the processor's caches, and threads work side by side."""

from __future__ import annotations

import numpy as np
from numba import njit

from motion324.rigging.kinematics import Chain, Placed


def compiled_hessians(
    chain: Chain,
    placed: Placed,
    maps: np.ndarray,
    screws: np.ndarray,
    gram: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray],
    units: np.ndarray,
) -> np.ndarray:
    """As plain_hessians: (T, 3U, 3U)."""
    width = 3 * len(units)
    found = np.empty((len(maps), width, width))
    joints = chain.armature.count
    one, two = pairs
    once = one <= two  # the others are their mirrors
    _fill(
        found,
        np.ascontiguousarray(maps),
        np.ascontiguousarray(placed.matrices[:, :, :3, 3]),
        np.ascontiguousarray(screws),
        gram.reshape(joints, 4, joints, 4),
        one[once],
        two[once],
        np.asarray(chain.parents, np.int64),
        np.asarray(chain.armature.inherits_rotation, np.bool_),
        np.asarray(chain.armature.inherits_scale, np.bool_),
        np.asarray(units, np.int64),
    )
    return found


@njit(cache=True, nogil=True)
def _fill(found, maps, heads, screws, gram, one, two, parents, turns, scales, units):
    joints, twist = len(parents), screws.shape[2]
    blocks = np.empty((joints, joints, twist, twist))
    for t in range(len(maps)):
        blocks[:] = 0.0
        for pair in range(len(one)):
            _add_pair(blocks, maps[t], gram, one[pair], two[pair])
        for j in range(joints - 1, -1, -1):
            if parents[j] >= 0:
                _fold_rows(blocks[parents[j]], blocks[j], heads[t, j], turns[j], scales[j])
        for j in range(joints - 1, -1, -1):
            if parents[j] >= 0:
                for other in range(joints):
                    _fold_columns(blocks[other, parents[j]], blocks[other, j], heads[t, j], turns[j], scales[j])
        _by_units(found[t], blocks, screws[t], units)


@njit(cache=True, nogil=True)
def _add_pair(blocks, maps, gram, j, k):
    """The blocks of two bones: weighted sums over their vertices of twist times twist."""
    a, b = maps[j], maps[k]
    places = np.empty((3, 4))
    for row in range(3):
        for column in range(4):
            total = 0.0
            for inner in range(4):
                total += a[row, inner] * gram[j, inner, k, column]
            places[row, column] = total
    products = np.empty((3, 3))
    second = np.empty(3)
    for row in range(3):
        for column in range(3):
            total = 0.0
            for inner in range(4):
                total += places[row, inner] * b[column, inner]
            products[row, column] = total
        total = 0.0
        for inner in range(4):
            total += gram[j, 3, k, inner] * b[row, inner]
        second[row] = total
    block = blocks[j, k]
    trace = products[0, 0] + products[1, 1] + products[2, 2]
    for row in range(3):
        for column in range(3):
            block[row, column] = -products[column, row]
        block[row, row] += trace
        block[3 + row, 3 + row] = gram[j, 3, k, 3]
    x, y, z = places[0, 3], places[1, 3], places[2, 3]
    block[0, 4], block[0, 5] = -z, y
    block[1, 3], block[1, 5] = z, -x
    block[2, 3], block[2, 4] = -y, x
    x, y, z = second[0], second[1], second[2]
    block[3, 1], block[3, 2] = z, -y
    block[4, 0], block[4, 2] = -z, x
    block[5, 0], block[5, 1] = y, -x
    twist = block.shape[0]
    if twist > 6:
        block[0, 6], block[6, 0] = products[1, 2] - products[2, 1], products[2, 1] - products[1, 2]
        block[1, 6], block[6, 1] = products[2, 0] - products[0, 2], products[0, 2] - products[2, 0]
        block[2, 6], block[6, 2] = products[0, 1] - products[1, 0], products[1, 0] - products[0, 1]
        for row in range(3):
            block[3 + row, 6], block[6, 3 + row] = second[row], places[row, 3]
        block[6, 6] = trace
    if j != k:
        mirror = blocks[k, j]
        for row in range(twist):
            for column in range(twist):
                mirror[column, row] = block[row, column]


@njit(cache=True, nogil=True)
def _fold_rows(above, own, head, turns, scales):
    """above, own (J, W, W): adds what a bone's twist does to what its parent's does, see Chain.fold."""
    twist = own.shape[1]
    x, y, z = head[0], head[1], head[2]
    for k in range(len(own)):
        for column in range(twist):
            for row in range(0 if turns else 3, twist if scales else 6):
                above[k, row, column] += own[k, row, column]
            u, v, w = own[k, 3, column], own[k, 4, column], own[k, 5, column]
            if not turns:
                above[k, 0, column] += -z * v + y * w
                above[k, 1, column] += z * u - x * w
                above[k, 2, column] += -y * u + x * v
            if not scales and twist > 6:
                above[k, 6, column] += x * u + y * v + z * w


@njit(cache=True, nogil=True)
def _fold_columns(above, own, head, turns, scales):
    """above, own (W, W): the same by the second bone."""
    twist = own.shape[1]
    x, y, z = head[0], head[1], head[2]
    for row in range(twist):
        for column in range(0 if turns else 3, twist if scales else 6):
            above[row, column] += own[row, column]
        u, v, w = own[row, 3], own[row, 4], own[row, 5]
        if not turns:
            above[row, 0] += -z * v + y * w
            above[row, 1] += z * u - x * w
            above[row, 2] += -y * u + x * v
        if not scales and twist > 6:
            above[row, 6] += x * u + y * v + z * w


@njit(cache=True, nogil=True)
def _by_units(found, blocks, screws, units):
    """found (3U, 3U): every block between the screws of its two units."""
    twist = screws.shape[1]
    half = np.empty((3, twist))
    for u in range(len(units)):
        for v in range(u, len(units)):
            block = blocks[units[u], units[v]]
            for a in range(3):
                for column in range(twist):
                    total = 0.0
                    for row in range(twist):
                        total += screws[u, row, a] * block[row, column]
                    half[a, column] = total
            for a in range(3):
                for b in range(3):
                    total = 0.0
                    for column in range(twist):
                        total += half[a, column] * screws[v, column, b]
                    found[3 * u + a, 3 * v + b] = total
                    found[3 * v + b, 3 * u + a] = total
