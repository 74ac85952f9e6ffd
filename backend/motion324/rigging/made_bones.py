"""The bones of a made rig: where they lie, what they are called, and which of them are connected."""

from __future__ import annotations

import dataclasses

import numpy as np

from motion324.core.rigs.rig import Armature, Skin
from motion324.rigging.body import Body
from motion324.rigging.joints import Skeleton

SHORTEST = 0.03  # of the longest side: a bone's least length, so that it can be seen and picked
END = 0.92  # of a part along its bone: where its last cross-section begins
ROUND = 0.3  # of a part's radius: a bone that begins so near to its middle has no way of its own
ASKEW = 0.03  # of a bone's length: how far beside a loose child it ends
LOOSE = 0.01  # of the longest side: a joint whose ends are farther apart is none; its bone may move
ASIDE = 0.06  # of the longest side: a branch whose middle is farther from the middle plane has a side


def bones_of(skeleton: Skeleton, skin: Skin, held: np.ndarray, body: Body) -> tuple[Armature, Skin]:
    """The armature, each bone after its parent, and the skin with the bones' new numbers. held (P, J): weights of the
    parts at the body's places.

    A bone begins at its joint and ends where its most important child begins, or at the far end of its part.
    """
    order = skeleton.order
    number = np.argsort(order)
    parents = np.array([-1 if skeleton.parents[part] < 0 else number[skeleton.parents[part]] for part in order])
    heads, middles = skeleton.heads[order].copy(), skeleton.middles[order]
    skin = Skin(skin.positions, number[skin.joints].astype(np.int32), skin.weights)
    part = held[:, order].argmax(axis=1)
    below = np.bincount(part, body.areas, minlength=len(order)) + 1e-12
    for j in range(len(order) - 1, 0, -1):
        below[parents[j]] += below[j]
    main = _main_children(parents, below, heads, middles)
    if main[0] >= 0:
        heads[0] = _across(body, part == 0, heads[main[0]], middles[0])
    tails = np.array(
        [heads[main[j]] if main[j] >= 0 else _end(body, part == j, heads[j], middles[j]) for j in range(len(order))]
    )
    tight = skeleton.gaps[order] < LOOSE
    for j in np.flatnonzero(main >= 0):
        if not tight[main[j]]:
            tails[j] = _beside(heads[j], tails[j])
    rest, lengths = _matrices(heads, tails)
    met = np.linalg.norm(heads + rest[:, :3, 1] * lengths[:, None] - tails, axis=1) < 1e-6
    connected = np.array([j > 0 and main[parents[j]] == j and bool(met[parents[j]]) for j in range(len(order))])
    stays = tight & (np.arange(len(order)) > 0)
    free = Armature.of_free_bones(tuple(_names(parents, main, below, heads, tails)), parents, rest, lengths)
    armature = dataclasses.replace(
        free,
        location_low=np.where(stays[:, None], 0.0, free.location_low),
        location_high=np.where(stays[:, None], 0.0, free.location_high),
        connected=connected & tight,
    )
    return armature, skin


def _beside(head: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """(3,): a little short of the tail and aside. Importers of FBX connect a bone to the parent that points at it, and
    one that is connected cannot move any more.
    """
    way = tail - head
    across = np.cross(way, np.eye(3)[np.abs(way).argmin()])
    return np.asarray(head + (1 - ASKEW) * way + ASKEW * across)


def _main_children(parents: np.ndarray, below: np.ndarray, heads: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """(J,): the child that carries much and lies far along the bone's own part, or -1: what a bone goes on as."""
    main, best = np.full(len(parents), -1), np.full(len(parents), -np.inf)
    for j in range(1, len(parents)):
        parent = parents[j]
        way = middles[parent] - heads[parent]
        ahead = float((heads[j] - heads[parent]) @ way / max(float(np.linalg.norm(way)), 1e-9)) if parent else 1.0
        worth = float(below[j]) * max(ahead, SHORTEST)
        if worth > best[parent]:
            main[parent], best[parent] = j, worth
    return main


def _across(body: Body, own: np.ndarray, end: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """(3,): where the root begins: as far before the middle of its part as it ends behind it, inside of it."""
    inside = own[body.owners]
    wanted = 2 * middle - end
    if not inside.any():
        return wanted
    points = body.centres[inside]
    return np.asarray(points[np.linalg.norm(points - wanted, axis=1).argmin()])


def _end(body: Body, own: np.ndarray, begin: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """(3,): the far end of the part of the places own (P,), seen from where its bone begins, in the middle of it."""
    inside = own[body.owners]
    points = body.centres[inside] if inside.any() else body.places[own]
    if not len(points):
        return middle
    way = middle - begin
    apart = points - points.mean(axis=0)
    if np.linalg.norm(way) < ROUND * np.sqrt(np.square(apart).sum(axis=1).mean()):
        way = np.linalg.svd(apart, full_matrices=False)[2][0]  # it begins in the middle: along the part's own axis
    along = points @ way
    last = points[along >= np.quantile(along, END)]
    return np.asarray(last[np.linalg.norm(last - last.mean(axis=0), axis=1).argmin()])


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
