"""A skeleton for parts that move: where neighbouring parts turn about each other, and a tree of them.

A joint is the point that both parts carry to nearly the same place in all frames (Le and Deng, "Robust and Accurate
Skeletal Rigging from Mesh Sequences", 2014, section 4). What the motion leaves open, as along the axis of a hinge, or
where two parts hardly turn or slide, the seam decides: the joint is the likeliest point if the gaps between both
parts' ends are as large as they turn out to be, and joints are spread about the middle of a seam as the seam itself is.
It lies inside of the body. T frames, J parts, P places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.rigging.body import Body

LEAST_GAP = 0.004  # of the longest side: the gap between a joint's ends that is expected at least
LEAST_SPREAD = 0.08  # of the longest side: how far joints lie from the middle of their seam at least, per axis
ROUNDS = 20  # of judging the gap and placing the joint
ASIDE = 0.05  # of a joint's step aside from where its parts meet: the gap that it counts for
TOUCHING = 0.03  # of the longest side: what parts count for that share nearly nothing of their seams
DISTANCE = 0.02  # of the distance of the parts' middles, likewise
APART = 0.3  # of the longest side: what parts that do not touch count for


@dataclass(frozen=True)
class Skeleton:
    """parents (J,): -1 for the root. heads (J, 3): where a part turns about its parent, the root's: its middle.
    order (J,): parts, each after its parent. gaps (J,): root mean square distance of both ends of the joint.
    middles (J, 3): of the parts.
    """

    parents: np.ndarray
    heads: np.ndarray
    order: np.ndarray
    gaps: np.ndarray
    middles: np.ndarray


@dataclass(frozen=True)
class _Seams:
    """Where parts meet. lengths (J, J): 0 where they do not; middles (J, J, 3); spreads (J, J, 3, 3): covariances."""

    lengths: np.ndarray
    middles: np.ndarray
    spreads: np.ndarray


def find_skeleton(held: np.ndarray, maps: np.ndarray, body: Body) -> Skeleton:
    """held (P, J): weights of the parts. maps (T, J, 3, 4): from rest to the parts."""
    count = maps.shape[1]
    areas = body.areas if body.areas.any() else np.ones(len(held))
    mass = areas @ held
    middles = (held * areas[:, None]).T @ body.places / np.maximum(mass, 1e-12)[:, None]
    seams = _seams(held, body, middles)
    owners = held.argmax(axis=1)[body.owners]
    costs, joints = np.full((count, count), np.inf), {}
    for i in range(count):
        for j in range(i):
            joints[j, i] = joints[i, j] = joint = _joint(maps[:, i], maps[:, j], seams, i, j)
            seam = seams.lengths[i, j]
            share = seam / max(min(seams.lengths[i].sum(), seams.lengths[j].sum()), 1e-12)
            aside = float(np.linalg.norm(joint.place - seams.middles[i, j]))
            far = float(np.linalg.norm(middles[i] - middles[j]))
            cost = joint.gap + ASIDE * aside + TOUCHING * (1 - share) + DISTANCE * far
            costs[i, j] = costs[j, i] = cost + (0.0 if seam > 0 else APART)
    links = _tree(costs)
    root = _centre(links, mass, middles)
    parents, order = _rooted(links, root, count)
    heads, gaps = middles.copy(), np.zeros(count)
    for part in order[1:]:
        joint = joints[part, int(parents[part])]
        inside = joint.inside(body, np.isin(owners, [part, parents[part]]))
        heads[part], gaps[part] = inside, joint.gap_at(inside)
    return Skeleton(parents, heads, order, gaps, middles)


@dataclass(frozen=True)
class _Joint:
    """place (3,), where the quadratic form `sharpness` (3, 3) has its least value. left (3T, 3), right (3T,): the gaps
    at x are left @ x - right. gap: their root mean square at the place.
    """

    place: np.ndarray
    sharpness: np.ndarray
    left: np.ndarray
    right: np.ndarray
    gap: float

    def gap_at(self, place: np.ndarray) -> float:
        return _root_mean_square(self.left @ place - self.right)

    def inside(self, body: Body, own: np.ndarray) -> np.ndarray:
        """(3,): the likeliest place inside of the body; own (B,) bool: the balls of the joint's parts."""
        if body.holds(self.place) or not own.any():
            return self.place
        inner = body.inner_points(self.place)[own]
        steps = inner - self.place
        return np.asarray(inner[np.einsum("ba,ac,bc->b", steps, self.sharpness, steps).argmin()])


def _joint(one: np.ndarray, two: np.ndarray, seams: _Seams, i: int, j: int) -> _Joint:
    apart = one - two  # (T, 3, 4)
    left, right = apart[:, :, :3].reshape(-1, 3), -apart[:, :, 3].reshape(-1)
    middle, held = seams.middles[i, j], np.linalg.inv(seams.spreads[i, j])
    place, gap = middle, max(_root_mean_square(left @ middle - right), LEAST_GAP)
    for _ in range(ROUNDS):
        turned = left.T @ left / (len(apart) * gap**2)
        pulled = left.T @ (right - left @ middle) / (len(apart) * gap**2)
        place = middle + np.linalg.solve(turned + held, pulled)
        gap = max(_root_mean_square(left @ place - right), LEAST_GAP)
    return _Joint(place, turned + held, left, right, _root_mean_square(left @ place - right))


def _root_mean_square(gaps: np.ndarray) -> float:
    """gaps (3T,): of three numbers a frame."""
    return float(np.sqrt(np.square(gaps).reshape(-1, 3).sum(axis=1).mean()))


def _seams(held: np.ndarray, body: Body, middles: np.ndarray) -> _Seams:
    """A seam's points lie on the edges whose ends belong to two parts, where both have the same weight. Parts that do
    not touch meet somewhere between their middles.
    """
    count = held.shape[1]
    part = held.argmax(axis=1)
    one, two = body.links.nonzero()
    crossing = part[one] != part[two]
    one, two = one[crossing], two[crossing]
    first, second = part[one], part[two]
    rows = np.arange(len(one))
    here, there = (held[side][rows, first] - held[side][rows, second] for side in (one, two))
    share = np.clip(here / np.maximum(here - there, 1e-9), 0, 1)[:, None]
    points = (1 - share) * body.places[one] + share * body.places[two]
    sizes = np.sqrt((body.areas[one] + body.areas[two]) / 2) + 1e-9
    lengths = np.zeros((count, count))
    sums, squares = np.zeros((count, count, 3)), np.zeros((count, count, 3, 3))
    np.add.at(lengths, (first, second), sizes)
    np.add.at(sums, (first, second), sizes[:, None] * points)
    np.add.at(squares, (first, second), sizes[:, None, None] * points[:, :, None] * points[:, None, :])
    meet = (lengths > 0)[..., None]
    between = (middles[:, None] + middles[None]) / 2
    total = np.maximum(lengths, 1e-12)[..., None]
    means = np.where(meet, sums / total, between)
    spread = squares / total[..., None] - means[..., :, None] * means[..., None, :]
    half = np.square(middles[:, None] - middles[None]).sum(axis=2)[..., None, None] / 4 * np.eye(3)
    return _Seams(lengths, means, np.where(meet[..., None], spread, half) + LEAST_SPREAD**2 * np.eye(3))


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


def _rooted(links: list[tuple[int, int]], root: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """parents (J,) and the parts, each after its parent (J,)."""
    parents, order = np.full(count, -1), [root]
    for part in order:
        for i, j in links:
            other = j if i == part else i if j == part else -1
            if other >= 0 and other != parents[part] and other not in order:
                parents[other] = part
                order.append(other)
    return parents, np.array(order)
