"""Creatures as rigs: the same seed gives the same creatures."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from motion324.training.synthesis.creatures.motion import action, dance, gait
from motion324.training.synthesis.creatures.plans import PLANS
from motion324.training.synthesis.creatures.surface import Style, skinned_surface
from motion324.training.synthesis.rigs import Rig, in_normalised_space, skinned
from motion324.training.synthesis.skeleton import Skeleton

INFLUENCES = 4
RIGID_SHARE = 0.3


def make_creatures(per_plan: int, seed: int, processes: int = 1) -> list[Rig]:
    """per_plan creatures of each body plan, called "creature_<plan>__<number>". processes: that make them at once."""
    wanted = [(plan, number, seed) for plan in PLANS for number in range(per_plan)]
    if processes < 2 or not wanted:
        return [make_creature(*one) for one in wanted]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return list(pool.map(make_creature, *zip(*wanted, strict=True), chunksize=4))


def make_creature(plan: str, number: int, seed: int) -> Rig:
    rng = np.random.default_rng([seed, number, *plan.encode()])
    body = PLANS[plan](rng)
    style = Style.drawn(rng, rigid=plan == "walker" or rng.random() < RIGID_SHARE)
    surface = skinned_surface(body, style, rng)
    clips = [gait(body, rng), gait(body, rng), action(body, rng), action(body, rng), dance(body, rng)]
    joints = np.argsort(-surface.weights, axis=1)[:, :INFLUENCES]
    weights = np.take_along_axis(surface.weights, joints, axis=1)
    weights = weights / weights.sum(axis=1, keepdims=True)
    clips, rest = in_normalised_space(clips, skinned(surface.vertices, joints, weights, clips[0][0]))
    count = len(body.bones)
    skeleton = Skeleton(
        leaders=np.arange(count),
        parents=np.array([bone.parent if bone.parent >= 0 else count for bone in body.bones]),
        pivots=np.array([bone.head for bone in body.bones]),
    )
    return Rig(
        name=f"creature_{plan}__{number:03d}",
        vertices=surface.vertices.astype(np.float32),
        faces=surface.faces.astype(np.int64),
        colours=surface.colours.clip(0, 1).astype(np.float32),
        joints=joints.astype(np.int64),
        weights=weights.astype(np.float32),
        clips=tuple(clip.astype(np.float32) for clip in clips),
        rest=rest.astype(np.float32),
        skeleton=skeleton,
    )
