"""A rig made from a trajectory: parts that move as one become bones with joints and weights, and are keyed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.options.rig_settings import AUTO, RigSettings
from motion324.core.progress import Progress, silent
from motion324.core.rigs.rig import Armature, RiggedMotion, RigMotion, Skin
from motion324.rigging.body import Body, body_of
from motion324.rigging.joints import find_skeleton
from motion324.rigging.kinematics import Chain, Poses
from motion324.rigging.made_bones import bones_of
from motion324.rigging.moving_parts import part_motion, split_into_parts
from motion324.rigging.own_rig import fit_armature
from motion324.rigging.weight_fit import fit_weights, neighbour_means

COUNTS = (1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 26, 30, 35, 40)  # that auto tries, one after another
SAMPLE = 1500  # vertices that are cut into parts
FRAMES = 40  # of the clip, evenly spaced, from which parts and weights are found
SMOOTHNESS = 4e-5  # of weights beside squared distances, see weight_fit
REACH = 0.3  # of the longest side: how far along the surface from its part a bone moves vertices
ROUNDS = 2  # of poses and weights in turn
PROMISING = 0.9  # of the tolerance: parts must come so near, since joints hold them then
WORST_FRAME, WORST_PART = 2.5, 7.5  # in tolerances: a frame's mean, and 99 % of the vertices in their worst frame
STILL = 1e-4  # of the longest side: a trajectory that moves less has no motion


@dataclass(frozen=True)
class _Clip:
    """rest (N, 3) and positions (T, N, 3), centred, the longest side 1. few: some of the frames. same (N,): the number
    of each vertex's place, which vertices at seams share. firsts (P,): a vertex of each place. sample: some vertices,
    of different places, and near: which of them are neighbours.
    """

    rest: np.ndarray
    positions: np.ndarray
    few: np.ndarray
    same: np.ndarray
    firsts: np.ndarray
    sample: np.ndarray
    near: sparse.csr_matrix
    body: Body
    neighbours: sparse.csr_matrix
    centre: np.ndarray
    scale: float


def make_rig(
    positions: np.ndarray, faces: np.ndarray, settings: RigSettings, *, progress: Progress = silent
) -> RiggedMotion:
    """positions (T, N, 3): in the space that the armature shall have; the first frame becomes the rest pose.

    Raises Motion324Error: "trajectory-not-finite", "trajectory-still"; Cancelled.
    """
    clip = _clip(positions, faces)
    counts = COUNTS if settings.bones is None else (settings.bones,)
    tolerance = settings.tolerance / 100
    labels = None
    for step, count in enumerate(counts):

        def tick(step: int = step) -> None:
            progress("rig", 100 * step, 100 * (len(counts) + 1))

        tick()
        rest, moved = clip.rest[clip.sample], clip.positions[clip.few][:, clip.sample]
        labels = split_into_parts(rest, moved, clip.near, count, labels, tick)
        last = count == counts[-1] or labels.max() + 1 < count
        if not last and _parts_error(rest, moved, labels, settings.influences) > PROMISING * tolerance:
            continue
        made = _bones_and_weights(clip, labels, settings, tick)
        motion = fit_armature(*made, clip.positions, locations=AUTO, progress=_within(progress, step, len(counts)))
        if last or _is_near(motion, tolerance):
            return _in_own_space(clip, *made, motion, settings)
    raise AssertionError("the last count is taken")


def _is_near(motion: RigMotion, tolerance: float) -> bool:
    """On average, and neither a frame nor a small part of the mesh much worse: a hand is few of a body's vertices."""
    return bool(
        motion.mean.mean() <= tolerance
        and motion.mean.max() <= WORST_FRAME * tolerance
        and np.quantile(motion.worst, 0.99) <= WORST_PART * tolerance
    )


def _clip(positions: np.ndarray, faces: np.ndarray) -> _Clip:
    if not np.isfinite(positions).all():
        raise Motion324Error(
            "trajectory-not-finite", "Some places of the trajectory are no numbers.", "Animate again.", EXIT_BAD_MESH
        )
    low, high = positions[0].min(axis=0).astype(np.float64), positions[0].max(axis=0).astype(np.float64)
    centre, scale = (low + high) / 2, max(float((high - low).max()), 1e-12)
    centred = (np.asarray(positions, np.float64) - centre) / scale
    if np.abs(centred - centred[0]).max() < STILL:
        raise Motion324Error(
            "trajectory-still",
            "Nothing moves in this result, so no bones can be found in it.",
            "Animate the mesh first, with a video in which it moves.",
            EXIT_BAD_MESH,
        )
    few = np.unique(np.linspace(0, len(centred) - 1, FRAMES).astype(int))
    looks = centred[[0, few[len(few) // 2], -1]]
    keys = np.round(np.moveaxis(looks, 1, 0).reshape(len(centred[0]), -1) * 1e4).astype(np.int64)
    _, firsts, same = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    same = same.reshape(-1)
    body = body_of(centred[0][firsts], _whole(same[np.asarray(faces)]))
    ordered = np.sort(firsts)
    sample = ordered[np.linspace(0, len(ordered) - 1, min(SAMPLE, len(ordered))).astype(int)]
    return _Clip(
        rest=centred[0],
        positions=centred,
        few=few,
        same=same,
        firsts=firsts,
        sample=sample,
        near=body.among(same[sample]),
        body=body,
        neighbours=neighbour_means(len(same), np.asarray(faces), same),
        centre=centre,
        scale=scale,
    )


def _whole(faces: np.ndarray) -> np.ndarray:
    """(F, 3): those of three different places."""
    one, two, three = faces.T
    return faces[(one != two) & (two != three) & (three != one)]


def _parts_error(rest: np.ndarray, positions: np.ndarray, labels: np.ndarray, influences: int) -> float:
    """The mean distance of the sample, blended from its parts."""
    maps = _maps(*part_motion(rest, positions, labels))
    alone = sparse.identity(len(rest), format="csr")
    skin = fit_weights(rest, positions, maps, alone, influences, 0.0)
    return float(np.linalg.norm(_skinned(skin, maps) - positions, axis=2).mean())


def _bones_and_weights(
    clip: _Clip, labels: np.ndarray, settings: RigSettings, tick: Callable[[], None]
) -> tuple[Armature, Skin]:
    few = clip.positions[clip.few]
    sample = few[:, clip.sample]
    maps = _maps(*part_motion(clip.rest[clip.sample], sample, labels))

    def weights(maps: np.ndarray, away: np.ndarray) -> Skin:
        return fit_weights(clip.rest, few, maps, clip.neighbours, settings.influences, SMOOTHNESS, tick, away)

    away = _away(clip, labels, tick)
    first = weights(maps, away)
    held = np.zeros((len(clip.firsts), maps.shape[1]))
    np.add.at(held, (np.arange(len(held))[:, None], first.joints[clip.firsts]), first.weights[clip.firsts])
    skeleton = find_skeleton(held, maps, clip.body)
    armature, skin = bones_of(skeleton, first, held, clip.body)
    for _ in range(ROUNDS):
        tick()
        motion = fit_armature(armature, skin, few, locations=AUTO)
        skin = weights(_posed(armature, motion), away[:, skeleton.order])
    return armature, skin


def _away(clip: _Clip, labels: np.ndarray, tick: Callable[[], None]) -> np.ndarray:
    """(N, J): how far each vertex is from each part along the surface, infinite beyond REACH. What is so far from all
    parts may be of any.
    """
    places = clip.same[clip.sample]
    away = np.empty((len(clip.firsts), labels.max() + 1))
    for part in range(away.shape[1]):
        tick()
        away[:, part] = clip.body.away_from(places[labels == part], REACH)
    away[~np.isfinite(away).any(axis=1)] = 0.0
    return away[clip.same]


def _posed(armature: Armature, motion: RigMotion) -> np.ndarray:
    """(T, J, 3, 4): from rest to the bones."""
    chain = Chain(armature)
    return chain.skinning(chain.place(Poses.keyed(armature, motion)))


def _maps(turns: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    return np.concatenate([turns, shifts[..., None]], axis=-1)


def _skinned(skin: Skin, maps: np.ndarray) -> np.ndarray:
    """(T, N, 3)."""
    places = np.c_[np.asarray(skin.positions, np.float64), np.ones(len(skin.positions))]
    moved = np.zeros((len(maps), len(places), 3))
    for joint, weight in zip(skin.joints.T, skin.weights.T, strict=True):
        moved += weight[:, None] * np.einsum("tnab,nb->tna", maps[:, joint], places)
    return moved


def _in_own_space(
    clip: _Clip, armature: Armature, skin: Skin, motion: RigMotion, settings: RigSettings
) -> RiggedMotion:
    rest = armature.rest.copy()
    rest[:, :3, 3] = rest[:, :3, 3] * clip.scale + clip.centre
    own = dataclasses.replace(
        armature,
        rest=rest,
        lengths=armature.lengths * clip.scale,
        location_low=np.where(armature.location_low == 0, 0.0, -np.inf),
        location_high=np.where(armature.location_high == 0, 0.0, np.inf),
    )
    used = int((skin.weights > 0).sum(axis=1).max())
    report = {**motion.report, "made": True, "influences": used, "tolerance": settings.tolerance}
    moved = dataclasses.replace(motion, location=motion.location * clip.scale, report=report)
    positions = (np.asarray(skin.positions) * clip.scale + clip.centre).astype(np.float32)
    return RiggedMotion(own, Skin(positions, skin.joints, skin.weights), moved)


def _within(progress: Progress, step: int, steps: int) -> Progress:
    """A part of the whole."""

    def tell(stage: str, done: int, total: int) -> None:
        progress("rig", 100 * step + 100 * done // max(total, 1), 100 * (steps + 1))

    return tell
