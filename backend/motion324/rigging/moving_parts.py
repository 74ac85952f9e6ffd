"""Which vertices move as one: a trajectory cut into parts that are nearly rigid, by splitting the worst part again and
again (as Le and Deng begin their "Smooth Skinning Decomposition with Rigid Bones", 2012, section 4.1).

A part hangs together: two legs that go the same way are two parts, since no one would look for one bone in both.
T frames, S vertices (a sample of the mesh is enough), B parts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from motion324.rigging.rotations import nearest_rotation

ROUNDS = 3  # of fitting and assigning again, after each split
SEED_SHARE = 0.25  # of a part's vertices: those about its worst one that a split begins with
FEWEST = 4  # vertices of a part
HOPS = 3  # from neighbour to neighbour: how far away a vertex may find its part


def split_into_parts(
    rest: np.ndarray,
    positions: np.ndarray,
    near: sparse.csr_matrix,
    count: int,
    labels: np.ndarray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """rest (S, 3), positions (T, S, 3), near (S, S) bool: who is whose neighbour -> labels (S,) int, of at most `count`
    parts, all of which have vertices.

    labels: where to go on from. tick is called now and then.
    """
    labels = np.zeros(len(rest), int) if labels is None else labels.copy()
    around = _around(near)
    spent: list[int] = []  # parts that cannot be split
    while labels.max() + 1 < count:
        tick()
        errors = _errors(rest, positions, labels)
        totals = np.bincount(labels, errors)
        totals[np.bincount(labels) < 2 * FEWEST] = -1.0
        totals[spent] = -1.0
        worst = int(totals.argmax())
        if totals[worst] <= 0:
            break
        after = _split(rest, positions, labels, worst, errors)
        for _ in range(ROUNDS):
            again = _assigned(rest, positions, after, around)
            if again.max() < after.max():  # a part was given up: the same split would come again, for ever
                break
            after = again
        after = _hanging_together(rest, positions, near, after, count)
        if after.max() > labels.max():
            labels, spent = after, []
        else:
            spent.append(worst)
    return labels


def part_motion(rest: np.ndarray, positions: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each part's rotation (T, B, 3, 3) and translation (T, B, 3): the best rigid ones (Kabsch)."""
    rotations, translations = [], []
    for part in range(labels.max() + 1):
        turn, shift = rigid_motion(rest[labels == part], positions[:, labels == part])
        rotations.append(turn)
        translations.append(shift)
    return np.stack(rotations, axis=1), np.stack(translations, axis=1)


def rigid_motion(rest: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """rest (n, 3), positions (T, n, 3) -> rotations (T, 3, 3) and translations (T, 3)."""
    middle, middles = rest.mean(axis=0), positions.mean(axis=1)
    spread = np.einsum("tna,nb->tab", positions - middles[:, None], rest - middle)
    turn = nearest_rotation(spread)
    return turn, middles - turn @ middle


def _errors(rest: np.ndarray, positions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(S,): squared distances to where the own part would be, summed over the frames."""
    turns, shifts = part_motion(rest, positions, labels)
    moved = np.einsum("tsab,sb->tsa", turns[:, labels], rest) + shifts[:, labels]
    return np.square(moved - positions).sum(axis=(0, 2))


def _split(rest: np.ndarray, positions: np.ndarray, labels: np.ndarray, part: int, errors: np.ndarray) -> np.ndarray:
    """The part, in two: about its worst vertex, and the rest of it. What lies about that vertex is what is near it,
    or, where those vertices do not move as one, what goes the same way."""
    own = np.flatnonzero(labels == part)
    places, moving = rest[own], positions[:, own]
    far = np.linalg.norm(places - places.mean(axis=0), axis=1)
    seed = int((errors[own] * far**2).argmax())
    ways = moving - places
    apart = (np.linalg.norm(places - places[seed], axis=1), np.square(ways - ways[:, [seed]]).sum(axis=(0, 2)))
    both = np.zeros(len(own), int)
    for distance in apart:
        both = np.zeros(len(own), int)
        both[np.argsort(distance, kind="stable")[: max(FEWEST, int(SEED_SHARE * len(own)))]] = 1
        again = _assigned(places, moving, both)  # between these two alone
        if again.max() > 0:
            both = again
            break
    for _ in range(ROUNDS - 1):
        again = _assigned(places, moving, both)
        if again.max() == 0:
            break
        both = again
    split = labels.copy()
    split[own[both == 1]] = labels.max() + 1
    return split


def _assigned(
    rest: np.ndarray, positions: np.ndarray, labels: np.ndarray, around: sparse.csr_matrix | None = None
) -> np.ndarray:
    """Each vertex with the part whose motion fits it best, of those `around` (S, S) it if given; parts that are left
    with too few are given up.
    """
    costs = _costs(rest, positions, labels)
    if around is not None:
        costs = np.where(around @ np.eye(costs.shape[1])[labels] > 0, costs, np.inf)
    chosen = np.argmin(costs, axis=1)
    sizes = np.bincount(chosen, minlength=costs.shape[1])
    if (sizes < FEWEST).any():
        left = np.where(sizes < FEWEST, np.inf, costs)
        chosen = np.where(np.isfinite(left).any(axis=1), np.argmin(left, axis=1), chosen)
    return np.unique(chosen, return_inverse=True)[1].reshape(-1)


def _costs(rest: np.ndarray, positions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(S, B): squared distances to where each part would be, summed over the frames."""
    turns, shifts = part_motion(rest, positions, labels)
    costs = np.empty((len(rest), labels.max() + 1))
    for part in range(costs.shape[1]):
        moved = rest @ np.swapaxes(turns[:, part], -1, -2) + shifts[:, part, None]
        costs[:, part] = np.square(moved - positions).sum(axis=(0, 2))
    return costs


def _around(near: sparse.csr_matrix) -> sparse.csr_matrix:
    """(S, S): who can be reached by HOPS steps, oneself as well."""
    step = (near + sparse.identity(near.shape[0], format="csr")).astype(float)
    reached = step
    for _ in range(HOPS - 1):
        reached = reached @ step
    return reached


def _hanging_together(
    rest: np.ndarray, positions: np.ndarray, near: sparse.csr_matrix, labels: np.ndarray, most: int
) -> np.ndarray:
    """Of a part in pieces the largest stays. The others become parts, the largest first, as long as there are no more
    than `most`; too small ones and what is left join the neighbour whose motion fits them best.
    """
    one, two = near.nonzero()
    inside = labels[one] == labels[two]
    whole = sparse.coo_matrix((np.ones(int(inside.sum())), (one[inside], two[inside])), shape=near.shape)
    _, piece = connected_components(whole, directed=False)
    sizes = np.bincount(piece)
    part_of = np.zeros(len(sizes), int)
    part_of[piece] = labels
    labels, left, seen = labels.copy(), [], set()
    for each in np.argsort(-sizes, kind="stable"):
        if part_of[each] not in seen:
            seen.add(part_of[each])
        elif sizes[each] >= FEWEST and labels.max() + 1 < most:
            labels[piece == each] = labels.max() + 1
        else:
            left.append(each)
    costs = _costs(rest, positions, labels)
    for each in left:
        own = piece == each
        beside = np.setdiff1d(labels[two[own[one]]], part_of[each])
        if len(beside):
            labels[own] = beside[costs[own][:, beside].sum(axis=0).argmin()]
    return np.unique(labels, return_inverse=True)[1].reshape(-1)
