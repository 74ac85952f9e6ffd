"""The bones of a made rig: where they lie, what they are called, and which of them are connected."""

from __future__ import annotations

import dataclasses

import numpy as np

from motion324.core.rig import Armature, Skin
from motion324.rigging.joints import Skeleton

SHORTEST = 0.03  # of the longest side: a bone's least length, so that it can be seen and picked
LOOSE = 0.01  # of the longest side: a joint whose ends are farther apart is none; its bone may move
ASIDE = 0.06  # of the longest side: a branch whose middle is farther from the middle plane has a side


def bones_of(skeleton: Skeleton, skin: Skin) -> tuple[Armature, Skin]:
    """The armature, each bone after its parent, and the skin with the bones' new numbers.

    A bone begins at its joint and ends where its most important child begins, or beyond the vertices that it holds.
    """
    order = skeleton.order
    number = np.argsort(order)
    parents = np.array([-1 if skeleton.parents[part] < 0 else number[skeleton.parents[part]] for part in order])
    heads = skeleton.heads[order]
    skin = Skin(skin.positions, number[skin.joints].astype(np.int32), skin.weights)
    mass = np.bincount(skin.joints.ravel(), skin.weights.ravel(), minlength=len(order))
    below = mass.copy()
    for j in range(len(order) - 1, 0, -1):
        below[parents[j]] += below[j]
    main = _main_children(parents, below)
    heads[0] = _root_head(parents, heads, main)
    tails = np.array([heads[main[j]] if main[j] >= 0 else _leaf_tail(j, heads, skin) for j in range(len(order))])
    rest, lengths = _matrices(heads, tails)
    met = np.linalg.norm(heads + rest[:, :3, 1] * lengths[:, None] - tails, axis=1) < 1e-6
    connected = np.array([j > 0 and main[parents[j]] == j and bool(met[parents[j]]) for j in range(len(order))])
    tight = skeleton.gaps[order] < LOOSE
    stays = tight & (np.arange(len(order)) > 0)
    free = Armature.of_free_bones(tuple(_names(parents, main, below, heads, tails)), parents, rest, lengths)
    armature = dataclasses.replace(
        free,
        location_low=np.where(stays[:, None], 0.0, free.location_low),
        location_high=np.where(stays[:, None], 0.0, free.location_high),
        connected=connected & tight,
    )
    return armature, skin


def _main_children(parents: np.ndarray, below: np.ndarray) -> np.ndarray:
    """(J,): the child that carries most, or -1."""
    main = np.full(len(parents), -1)
    for j in range(1, len(parents)):
        parent = parents[j]
        if main[parent] < 0 or below[j] > below[main[parent]]:
            main[parent] = j
    return main


def _root_head(parents: np.ndarray, heads: np.ndarray, main: np.ndarray) -> np.ndarray:
    """Across the root's middle from its most important child, where that leaves a bone of some length."""
    if main[0] < 0:
        return heads[0]
    others = [heads[j] for j in range(1, len(parents)) if parents[j] == 0 and j != main[0]]
    head = np.mean([heads[0], *others], axis=0) if others else heads[0]
    return head if np.linalg.norm(head - heads[main[0]]) > SHORTEST else heads[0]


def _leaf_tail(joint: int, heads: np.ndarray, skin: Skin) -> np.ndarray:
    """Along the vertices that the bone holds, to the last of them."""
    weight = np.where(skin.joints == joint, skin.weights, 0.0).sum(axis=1)
    own = weight > 0.3
    if not own.any():
        own = weight >= weight.max()
    way = np.average(skin.positions[own], axis=0, weights=weight[own]) - heads[joint]
    length = float(np.linalg.norm(way))
    way = way / length if length > 1e-4 else np.array([0.0, 1.0, 0.0])
    reach = float(np.quantile((skin.positions[own] - heads[joint]) @ way, 0.95))
    return heads[joint] + max(reach, SHORTEST) * way


def _matrices(heads: np.ndarray, tails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(J, 4, 4), Y along the bone and Z as near to the third axis as that allows, and lengths (J,)."""
    ways = tails - heads
    lengths = np.linalg.norm(ways, axis=1)
    short = lengths < SHORTEST
    ways = np.where((lengths > 1e-6)[:, None], ways / np.maximum(lengths, 1e-12)[:, None], [0.0, 1.0, 0.0])
    lengths = np.where(short, SHORTEST, lengths)
    up = np.where((np.abs(ways[:, 2]) > 0.95)[:, None], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    side = np.cross(ways, up)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    rest = np.tile(np.eye(4), (len(heads), 1, 1))
    rest[:, :3, 0], rest[:, :3, 1], rest[:, :3, 2], rest[:, :3, 3] = side, ways, np.cross(side, ways), heads
    return rest, lengths


def _names(parents: np.ndarray, main: np.ndarray, below: np.ndarray, heads: np.ndarray, tails: np.ndarray) -> list[str]:
    """root and body.01, body.02, ... along the most important children; every branch has a letter of its own, the
    heaviest first, and .L or .R where it lies on one side, as Blender mirrors names.
    """
    names = [""] * len(parents)
    spine, j = [], 0
    while j >= 0:
        spine.append(j)
        j = int(main[j])
    for place, j in enumerate(spine):
        names[j] = "root" if place == 0 else f"body.{place:02d}"
    starts = [j for j in range(1, len(parents)) if main[parents[j]] != j]
    for rank, start in enumerate(sorted(starts, key=lambda j: -below[j])):
        chain, j = [], start
        while j >= 0:
            chain.append(j)
            j = int(main[j])
        middle = float(np.mean([(heads[j][0] + tails[j][0]) / 2 for j in chain]))
        side = "" if abs(middle) < ASIDE else ".L" if middle > 0 else ".R"
        for place, j in enumerate(chain):
            names[j] = f"branch_{_letters(rank)}.{place + 1:02d}{side}"
    return names


def _letters(number: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    text = ""
    number += 1
    while number:
        number, left = divmod(number - 1, 26)
        text = chr(ord("a") + left) + text
    return text
