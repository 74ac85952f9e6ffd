"""Makes rigs out of two: a body of which some limbs, wings, tails or heads are another one's, with that one's motion.

A limb is all that hangs on a joint. All is done at rest, in normalised space, where matrices take the rest pose to the
others. N vertices, F faces, J joints, T poses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from motion324.training.synthesis.rest_joints import FLAT, USED
from motion324.training.synthesis.rigs import Rig, Skeleton, in_normalised_space, skinned

SHARE = (0.02, 0.4)  # of a body's vertices that a limb has
MOST_VERTICES = 8000
SIZE = (0.6, 1.5)  # of a new limb, beside the one it takes the place of
TWINS_APART = 0.06  # of the longest side: how far a limb may lie off the mirror image of its twin
ADDED_SHARE = 0.25  # of the limbs, those that come in addition to the own ones
TRIES = 20
MOST = 20.0  # of what stands in matrices; with more, a limb flies off
REACH = 0.1  # of the longest side: what lies nearer hangs together
LOOSE_SHARE = 0.05  # of the surface that may lie apart, in any of POSES_LOOKED_AT poses, by that many places on it
POSES_LOOKED_AT, PLACES_LOOKED_AT = 6, 400
MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class _AtRest:
    """leaders (N, 4): joints of the vertices. holder (N,): the strongest. active (J,). pivots (J, 3). moved: matrices
    (T, J, 3, 4) of each clip."""

    rig: Rig
    leaders: np.ndarray
    holder: np.ndarray
    active: np.ndarray
    pivots: np.ndarray
    moved: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class _Limb:
    """joint: that it hangs by. joints: all of it. vertices (N,): whether they are its. direction (3,), size: from the
    joint's pivot to its middle, and to its farthest vertex."""

    joint: int
    joints: np.ndarray
    vertices: np.ndarray
    direction: np.ndarray
    size: float


def make_hybrids(rigs: Sequence[Rig], weights: Sequence[float], count: int, seed: int) -> list[Rig]:
    """So many of them, or fewer where the rigs have no limbs; called "hybrid__<number>". weights: how often each rig is
    taken."""
    rng = np.random.default_rng([seed, count])
    known: dict[int, _AtRest | None] = {}
    made: list[Rig] = []
    for _ in range(TRIES * count if rigs else 0):
        if len(made) == count:
            break
        body, other = (_known(int(rng.choice(len(rigs), p=weights)), rigs, known) for _ in range(2))
        hybrid = body and other and body is not other and _hybrid(body, other, f"hybrid__{len(made):03d}", rng)
        if hybrid:
            made.append(hybrid)
    return made


def _known(number: int, rigs: Sequence[Rig], known: dict[int, _AtRest | None]) -> _AtRest | None:
    if number not in known:
        known[number] = _at_rest(rigs[number])
    return known[number]


def _at_rest(rig: Rig) -> _AtRest | None:
    """None where a joint's matrix at rest is flat, or there are too many vertices."""
    first = rig.clips[0][0].astype(np.float64)
    used = np.isin(
        np.arange(len(first)),
        np.r_[rig.joints[rig.weights > USED], rig.skeleton.leaders[rig.joints[rig.weights > USED]]],
    )
    volume = np.abs(np.linalg.det(first[:, :, :3]))
    thick = volume > FLAT * np.linalg.norm(first[:, :, :3], axis=(1, 2)) ** 3 / 3**1.5
    if len(rig.vertices) > MOST_VERTICES or not thick[used].all():
        return None
    undone = np.linalg.inv(_square(np.where(used[:, None, None], first, np.eye(3, 4))))
    leaders = np.where(rig.weights > USED, rig.skeleton.leaders[rig.joints], rig.skeleton.leaders[rig.joints[:, :1]])
    return _AtRest(
        rig,
        leaders,
        leaders[np.arange(len(leaders)), rig.weights.argmax(axis=1)],
        np.isin(np.arange(len(first)), leaders),
        np.einsum("jab,jb->ja", first, np.c_[rig.skeleton.pivots, np.ones(len(first))]),
        tuple((_square(clip) @ undone)[:, :, :3] for clip in rig.clips),
    )


def _hybrid(body: _AtRest, other: _AtRest, name: str, rng: np.random.Generator) -> Rig | None:
    """None where one has no limbs, or one flies off, or the body falls apart."""
    own, theirs = _limbs(body), _limbs(other)
    if not own or not theirs:
        return None
    place, limb = own[rng.integers(len(own))], theirs[rng.integers(len(theirs))]
    added = rng.random() < ADDED_SHARE
    size = rng.uniform(*SIZE) * place.size / max(limb.size, 1e-3)
    turn = size * _turn_between(limb.direction, place.direction)
    places = [(place, turn, body.pivots[place.joint])]
    twin = next((one for one in own if _are_twins(body, one, place)), None)
    if twin:
        places.append((twin, MIRROR @ turn, body.pivots[twin.joint]))
    gone = np.zeros(len(body.rig.vertices), bool)
    for one, _, _ in places:
        gone |= one.vertices & (not added)
    if gone.all():
        return None
    rig = _without(body, gone)
    for number, (one, matrix, at) in enumerate(places):
        rig = _with_limb(rig, one, other, limb, matrix, at, number / len(places), rng)
    if not max(float(np.abs(clip).max()) for clip in rig.clips) < MOST:
        return None
    clips, rest = in_normalised_space(list(rig.clips), skinned(rig.vertices, rig.joints, rig.weights, rig.clips[0][0]))
    made = Rig(
        name, rig.vertices, rig.faces, rig.colours, rig.joints, rig.weights,
        tuple(clip.astype(np.float32) for clip in clips), rest.astype(np.float32), rig.skeleton,
    )  # fmt: skip
    return None if falls_apart(made, rng) else made


def falls_apart(rig: Rig, rng: np.random.Generator) -> bool:
    """Whether parts of it lie apart from the rest, in some of its poses."""
    corners = rig.rest[rig.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if not areas.sum() > 0:
        return True
    faces = rig.faces[rng.choice(len(areas), PLACES_LOOKED_AT, p=areas / areas.sum())]
    mix = rng.dirichlet(np.ones(3), PLACES_LOOKED_AT)
    poses = np.concatenate(rig.clips)
    for number in np.linspace(0, len(poses) - 1, POSES_LOOKED_AT).astype(int):
        places = np.einsum("nk,nka->na", mix, skinned(rig.vertices, rig.joints, rig.weights, poses[number])[faces])
        near = np.linalg.norm(places[:, None] - places[None], axis=-1) < REACH
        parts = connected_components(near, directed=False)[1]
        if np.bincount(parts).max() < (1 - LOOSE_SHARE) * len(parts):
            return True
    return False


def _limbs(body: _AtRest) -> list[_Limb]:
    parents, found = body.rig.skeleton.parents, []
    count = len(parents)
    for joint in np.flatnonzero(body.active & (parents < count)):
        joints = _below(int(joint), parents)
        vertices = np.isin(body.holder, joints)
        if not SHARE[0] <= vertices.mean() <= SHARE[1] or not _faces_of(body.rig, vertices).any():
            continue
        off = body.rig.rest[vertices] - body.pivots[joint]
        middle = off.mean(axis=0)
        size = float(np.linalg.norm(off, axis=1).max())
        if size > 1e-3 and np.linalg.norm(middle) > 1e-3:
            found.append(_Limb(int(joint), joints, vertices, middle / np.linalg.norm(middle), size))
    return found


def _below(joint: int, parents: np.ndarray) -> np.ndarray:
    """The joint and all that hang on it."""
    found = [joint]
    for one in found:
        found += np.flatnonzero(parents == one).tolist()
    return np.array(found)


def _are_twins(body: _AtRest, one: _Limb, place: _Limb) -> bool:
    apart = body.pivots[one.joint] - MIRROR @ body.pivots[place.joint]
    shared = set(one.joints.tolist()) & set(place.joints.tolist())
    return not shared and bool(np.abs(apart).max() < TWINS_APART) and 0.7 < one.size / place.size < 1.4


def _faces_of(rig: Rig, vertices: np.ndarray) -> np.ndarray:
    return np.asarray(vertices[rig.faces].all(axis=1))


def _without(body: _AtRest, gone: np.ndarray) -> Rig:
    """The body at rest, less the faces between these vertices (N,)."""
    rig = body.rig
    kept = ~_faces_of(rig, gone)
    used = np.zeros(len(gone), bool)
    used[rig.faces[kept]] = True
    skeleton = Skeleton(rig.skeleton.leaders, rig.skeleton.parents, body.pivots)
    return Rig(
        rig.name, rig.rest[used], (np.cumsum(used) - 1)[rig.faces[kept]], rig.colours[used], body.leaders[used],
        rig.weights[used], body.moved, rig.rest[used], skeleton,
    )  # fmt: skip


def _with_limb(
    rig: Rig,
    place: _Limb,
    other: _AtRest,
    limb: _Limb,
    matrix: np.ndarray,
    at: np.ndarray,
    late: float,
    rng: np.random.Generator,
) -> Rig:
    """rig: at rest. matrix (3, 3) takes the limb's directions and sizes to those that it gets, its pivot to `at`. late:
    part of its clip by which it moves later than its twin."""
    count, pivot = len(rig.skeleton.parents), other.pivots[limb.joint]
    to = _square(np.c_[matrix, at - matrix @ pivot][None])[0]
    held = int(rig.skeleton.parents[place.joint])
    number = np.full(len(other.active), count)  # of joints outside of the limb: the one that it hangs by
    number[limb.joints] = count + np.arange(len(limb.joints))
    faces = other.rig.faces[_faces_of(other.rig, limb.vertices)]
    used = np.unique(faces)
    faces = np.searchsorted(used, faces)
    faces = faces[:, ::-1] if np.linalg.det(matrix) < 0 else faces
    before = other.rig.skeleton.parents[limb.joint]
    clips = []
    for clip in rig.clips:
        given = other.moved[int(rng.integers(len(other.moved)))]
        times = (np.arange(len(clip)) + int(late * len(given))) % len(given)
        beside = np.linalg.pinv(_square(given[times, before]))[:, None] @ _square(given[times][:, limb.joints])
        moved = _square(clip[:, held])[:, None] @ (to @ beside @ np.linalg.inv(to))
        clips.append(np.concatenate([clip, moved[:, :, :3]], axis=1))
    parents = np.where(rig.skeleton.parents == count, count + len(limb.joints), rig.skeleton.parents)
    hangs = number[other.rig.skeleton.parents[limb.joints]]
    hangs[0] = held
    vertices = (np.c_[other.rig.rest[used], np.ones(len(used))] @ to.T)[:, :3].astype(np.float32)
    pivots = (np.c_[other.pivots[limb.joints], np.ones(len(limb.joints))] @ to.T)[:, :3]
    all_vertices = np.concatenate([rig.vertices, vertices])
    return Rig(
        rig.name,
        all_vertices,
        np.concatenate([rig.faces, faces + len(rig.vertices)]),
        np.concatenate([rig.colours, other.rig.colours[used]]),
        np.concatenate([rig.joints, number[other.leaders[used]]]),
        np.concatenate([rig.weights, other.rig.weights[used]]),
        tuple(clips),
        all_vertices,
        Skeleton(
            np.concatenate([rig.skeleton.leaders, number[limb.joints]]),
            np.concatenate([parents, hangs]),
            np.concatenate([rig.skeleton.pivots, pivots]),
        ),
    )


def _turn_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Unit vectors -> the shortest turn (3, 3); of opposite ones a mirror that takes one to the other."""
    cosine = float(first @ second)
    if cosine < -0.99:
        return np.asarray(np.eye(3) - 2 * np.outer(first, first))
    x, y, z = np.cross(first, second)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1 + cosine))


def _square(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 4) -> (..., 4, 4)"""
    last = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (*matrices.shape[:-2], 1, 4))
    return np.concatenate([matrices, last], axis=-2)
