"""A skeleton for parts that move: where neighbouring parts turn about each other, and a tree of them.

A joint is the point that both parts carry to nearly the same place in all frames (Le and Deng, "Robust and Accurate
Skeletal Rigging from Mesh Sequences", 2014, section 4), held where the parts meet as far as the motion
leaves it open. T frames, J parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.core.rig import Skin

HELD = 2e-3  # of a joint's squared distance to where the parts meet, beside its own squared gaps per frame
ASIDE = 0.03  # of a joint's step aside from where its parts meet: the gap that it counts for
APART = 0.15  # of the longest side: what parts that share no vertex count for


@dataclass(frozen=True)
class Skeleton:
    """parents (J,): -1 for the root. heads (J, 3): where a part turns about its parent, the root's: its middle.
    order (J,): parts, each after its parent. gaps (J,): root mean square distance of both ends of the joint.
    """

    parents: np.ndarray
    heads: np.ndarray
    order: np.ndarray
    gaps: np.ndarray


def find_skeleton(skin: Skin, maps: np.ndarray) -> Skeleton:
    """skin: in a space whose longest side is 1. maps (T, J, 3, 4): from rest to the parts."""
    count = maps.shape[1]
    held = np.zeros((len(skin.positions), count))
    np.add.at(held, (np.arange(len(held))[:, None], skin.joints), skin.weights)
    mass = held.sum(axis=0)
    middles = held.T @ skin.positions / np.maximum(mass, 1e-9)[:, None]
    shared = held.T @ held
    moments = np.stack([(held * skin.positions[:, axis : axis + 1]).T @ held for axis in range(3)], axis=-1)
    costs, places, gaps = np.full((count, count), np.inf), np.zeros((count, count, 3)), np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            meets = shared[i, j] > 1e-3 * min(mass[i], mass[j])
            meeting = moments[i, j] / shared[i, j] if meets else (middles[i] + middles[j]) / 2
            place, gap = _joint(maps[:, i], maps[:, j], meeting)
            aside = float(np.linalg.norm(place - meeting))
            share = shared[i, j] / max(min(shared[i, i], shared[j, j]), 1e-9)
            far = float(np.linalg.norm(middles[i] - middles[j]))
            cost = gap + ASIDE * aside + 0.02 / (1 + 20 * share) + 0.02 * far
            costs[i, j] = costs[j, i] = cost + (0.0 if meets else APART)
            places[i, j] = places[j, i] = place
            gaps[i, j] = gaps[j, i] = gap
    links = _tree(costs)
    root = _centre(links, mass, middles)
    return _rooted(links, root, places, gaps, middles)


def _joint(one: np.ndarray, two: np.ndarray, meeting: np.ndarray) -> tuple[np.ndarray, float]:
    """The place and its root mean square gap."""
    apart = one - two  # (T, 3, 4)
    left = apart[:, :, :3].reshape(-1, 3)
    right = -(apart[:, :, 3] + apart[:, :, :3] @ meeting).reshape(-1)
    step = np.linalg.solve(left.T @ left + HELD * len(one) * np.eye(3), left.T @ right)
    gap = np.sqrt(np.square(left @ step - right).reshape(len(one), 3).sum(axis=1).mean())
    return meeting + step, float(gap)


def _tree(costs: np.ndarray) -> list[tuple[int, int]]:
    """Prim's minimum spanning tree."""
    inside, links = [0], []
    outside = set(range(1, len(costs)))
    while outside:
        rest = sorted(outside)
        block = costs[np.ix_(inside, rest)]
        a, b = np.unravel_index(block.argmin(), block.shape)
        links.append((inside[a], rest[b]))
        inside.append(rest[b])
        outside.remove(rest[b])
    return links


def _centre(links: list[tuple[int, int]], mass: np.ndarray, middles: np.ndarray) -> int:
    """The part from which all others are near along the tree, large ones most."""
    count = len(mass)
    far = np.full((count, count), np.inf)
    np.fill_diagonal(far, 0)
    for i, j in links:
        far[i, j] = far[j, i] = np.linalg.norm(middles[i] - middles[j]) + 1e-6
    for k in range(count):
        far = np.minimum(far, far[:, k : k + 1] + far[k : k + 1])
    return int((far @ mass - 1e-3 * mass).argmin())


def _rooted(
    links: list[tuple[int, int]], root: int, places: np.ndarray, gaps: np.ndarray, middles: np.ndarray
) -> Skeleton:
    count = len(middles)
    parents, order = np.full(count, -1), [root]
    heads, own = middles.copy(), np.zeros(count)
    for part in order:
        for i, j in links:
            other = j if i == part else i if j == part else -1
            if other >= 0 and other != parents[part] and other not in order:
                parents[other] = part
                heads[other], own[other] = places[part, other], gaps[part, other]
                order.append(other)
    return Skeleton(parents, heads, np.array(order), own)
