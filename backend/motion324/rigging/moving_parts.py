"""Which vertices move as one: a trajectory cut into parts that are nearly rigid, by splitting the worst part again and
again (as Le and Deng begin their "Smooth Skinning Decomposition with Rigid Bones", 2012, section 4.1).

T frames, S vertices (a sample of the mesh is enough), B parts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from motion324.rigging.rotations import nearest_rotation

ROUNDS = 3  # of fitting and assigning again, after each split
SEED_SHARE = 0.25  # of a part's vertices: those about its worst one that a split begins with
FEWEST = 4  # vertices of a part


def split_into_parts(
    rest: np.ndarray,
    positions: np.ndarray,
    count: int,
    labels: np.ndarray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """rest (S, 3), positions (T, S, 3) -> labels (S,) int, of at most `count` parts, all of which have vertices.

    labels: where to go on from. tick is called now and then.
    """
    labels = np.zeros(len(rest), int) if labels is None else labels.copy()
    while labels.max() + 1 < count:
        tick()
        errors = _errors(rest, positions, labels)
        totals = np.bincount(labels, errors)
        sizes = np.bincount(labels)
        totals[sizes < 2 * FEWEST] = -1.0
        worst = int(totals.argmax())
        if totals[worst] <= 0:
            break
        labels = _split(rest, positions, labels, worst, errors)
        for _ in range(ROUNDS):
            labels = _assigned(rest, positions, labels)
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
    """The part, in two: about its worst vertex, and the rest of it."""
    own = np.flatnonzero(labels == part)
    far = np.linalg.norm(rest[own] - rest[own].mean(axis=0), axis=1)
    seed = own[int((errors[own] * far**2).argmax())]
    near = own[np.argsort(np.linalg.norm(rest[own] - rest[seed], axis=1))]
    taken = near[: max(FEWEST, int(SEED_SHARE * len(own)))]
    split = labels.copy()
    split[taken] = labels.max() + 1
    for _ in range(ROUNDS):  # between these two alone
        both = np.where(split[own] == part, 0, 1)
        if both.min() == both.max():
            break
        split[own] = np.where(_assigned(rest[own], positions[:, own], both) == 0, part, labels.max() + 1)
    return split


def _assigned(rest: np.ndarray, positions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each vertex with the part whose motion fits it best; parts that are left with too few are given up."""
    turns, shifts = part_motion(rest, positions, labels)
    costs = []
    for part in range(labels.max() + 1):
        moved = rest @ np.swapaxes(turns[:, part], -1, -2) + shifts[:, part, None]
        costs.append(np.square(moved - positions).sum(axis=(0, 2)))
    chosen = np.argmin(costs, axis=0)
    sizes = np.bincount(chosen, minlength=labels.max() + 1)
    if (sizes < FEWEST).any():
        costs = [np.where(size < FEWEST, np.inf, cost) for cost, size in zip(costs, sizes, strict=True)]
        chosen = np.argmin(costs, axis=0)
    return np.unique(chosen, return_inverse=True)[1].reshape(-1)
