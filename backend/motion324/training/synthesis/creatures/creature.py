"""Makes creatures as rigs, the same ones for the same seed, and their clips: gaits, single actions, and dances, as
turns of their bones. T poses, 24 of them a second.
"""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from motion324.training.synthesis.creatures.body import Body, Bone, Style
from motion324.training.synthesis.creatures.odd_plans import ODD_PLANS
from motion324.training.synthesis.creatures.plans import USUAL_PLANS
from motion324.training.synthesis.creatures.surface import skinned_surface
from motion324.training.synthesis.rigs import Rig, Skeleton, in_normalised_space, skinned

INFLUENCES = 4
PLANS = USUAL_PLANS | ODD_PLANS
OF_MACHINES = ("walker", "machine")
RIGID_SHARE = 0.3
POSES = 48
MOST_TURN = {  # of one bone in an action or a dance, radians
    "spine": 0.35,
    "neck": 0.6,
    "head": 0.6,
    "leg": 0.9,
    "arm": 1.3,
    "wing": 1.0,
    "fin": 0.6,
    "tail": 0.7,
    "feeler": 0.4,
    "finger": 1.0,
    "cloth": 0.35,
    "lid": 1.3,
    "wheel": 1.5,
    "rotor": 1.5,
    "propeller": 1.5,
    "blade": 0.1,
}
ABOUT = {"wheel": 0, "rotor": 1, "propeller": 2}  # the axis that these go round


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
    style = Style.drawn(rng, rigid=plan in OF_MACHINES or rng.random() < RIGID_SHARE)
    surface = skinned_surface(body, style, rng)
    clips = [gait(body, rng), gait(body, rng), action(body, rng), action(body, rng), dance(body, rng)]
    joints = np.argsort(-surface.weights, axis=1)[:, :INFLUENCES]
    weights = np.take_along_axis(surface.weights, joints, axis=1)
    weights = weights / weights.sum(axis=1, keepdims=True)
    joints, weights = (np.pad(rows, ((0, 0), (0, INFLUENCES - rows.shape[1]))) for rows in (joints, weights))
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


def gait(body: Body, rng: np.random.Generator) -> np.ndarray:
    """Walking, running, flying, swimming on the spot -> (T, bones, 3, 4)."""
    beat = _beat(int(rng.integers(1, 5)))
    strength, lift = rng.uniform(0.3, 1.0), rng.uniform(0.2, 1.1)
    sweep = rng.uniform(0.15, 0.5)
    crawls = sum(bone.role == "leg" and bone.link == 0 for bone in body.bones) > 4
    turns = np.zeros((POSES, len(body.bones), 3))
    for number, bone in enumerate(body.bones):
        phase = beat + bone.phase
        if bone.role == "leg":
            turns[:, number] = _leg_turn(bone, phase, strength, lift, crawls)
        elif bone.role == "arm":
            turns[:, number, 0] = (0.7 * strength * np.sin(phase) if bone.link == 0 else -0.3 * lift) * np.ones(POSES)
        elif bone.role == "wing":
            turns[:, number, 2] = bone.side * (0.5 + 0.6 * lift) * np.sin(2 * beat - 0.8 * bone.link)
        elif bone.role in ("tail", "fin", "feeler"):
            turns[:, number, 1] = sweep * np.sin(phase - 0.7 * bone.link)
            turns[:, number, 0] = 0.3 * sweep * np.sin(2 * phase - 0.7 * bone.link)
        elif bone.role in ABOUT:
            turns[:, number, ABOUT[bone.role]] = phase
        elif bone.role == "lid":
            turns[:, number, 0] = -0.6 * lift * (1 - np.cos(beat))
        elif bone.role == "finger":
            turns[:, number, 0] = 0.5 * lift * (1 - np.cos(phase - 0.4 * bone.link))
        elif bone.role == "cloth":
            turns[:, number] = sweep * np.sin(phase - 0.6 * bone.link)[:, None] * [1.0, 0.4, 0.3]
        elif bone.role == "spine":
            turns[:, number, 1] = 0.5 * sweep * np.sin(beat - 0.8 * bone.link) * (1 if _is_long(body) else 0.4)
            turns[:, number, 0] = 0.12 * strength * np.sin(2 * beat + 0.5 * bone.link)
        elif bone.role != "blade":
            turns[:, number, 0] = 0.2 * strength * np.sin(2 * beat + 1.0 + 0.4 * bone.link)
            turns[:, number, 1] = -0.2 * sweep * np.sin(beat)
    shift = np.zeros((POSES, 3))
    shift[:, 1] = rng.uniform(0, 0.08) * np.sin(2 * beat + rng.uniform(0, 6))
    return _posed(body, turns, shift)


def action(body: Body, rng: np.random.Generator) -> np.ndarray:
    """Something done once: a kick, a bite, a jump, a fall -> (T, bones, 3, 4)."""
    time = np.linspace(0, 1, POSES)
    begin, width = rng.uniform(0.25, 0.5), rng.uniform(0.08, 0.3)
    rise = np.exp(-(((time - begin) / width) ** 2))
    before = np.exp(-(((time - begin + 1.6 * width) / width) ** 2))
    stays = rng.random() < 0.25
    course = np.where(stays & (time > begin), 1.0, rise) - rng.uniform(0, 0.4) * before
    taken = {id(chain): rng.random() < rng.uniform(0.2, 0.9) for chain in body.chains}
    turns = np.zeros((POSES, len(body.bones), 3))
    for chain in body.chains:
        for number in chain.bones if taken[id(chain)] else []:
            bone = body.bones[number]
            most = MOST_TURN[bone.role] * rng.uniform(0.2, 1.0)
            turns[:, number] = course[:, None] * _mostly_forward(rng, bone) * most
    whole = rng.random() < 0.5
    turns[:, 0] += whole * course[:, None] * rng.normal(0, 0.5, 3) * [1, 0.7, 0.5]
    shift = course[:, None] * rng.normal(0, 0.12, 3) + np.outer(rise, [0, rng.uniform(0, 0.3) * whole, 0])
    return _posed(body, turns, shift)


def dance(body: Body, rng: np.random.Generator) -> np.ndarray:
    """Everything moves, in time, left and right together or in turn -> (T, bones, 3, 4)."""
    strength = rng.uniform(0.08, 0.7)
    opposite = math.pi * (rng.random() < 0.5)
    turns = np.zeros((POSES, len(body.bones), 3))
    twins: dict[tuple[str, int], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    for number, bone in enumerate(body.bones):
        fresh = (rng.integers(1, 4, 2), rng.uniform(0, 2 * math.pi, (2, 3)), rng.normal(0, 0.6, (2, 3)))
        cycles, phases, axes = twins.setdefault((bone.role, bone.link), fresh)
        late = opposite if bone.side < 0 else 0.0
        mirrored = np.array([1.0, -1.0, -1.0]) if bone.side < 0 else np.ones(3)
        for count, phase, axis in zip(cycles, phases, axes, strict=True):
            wave = np.sin(_beat(int(count))[:, None] + phase + late)
            turns[:, number] += strength * MOST_TURN[bone.role] * wave * axis * mirrored
    shift = strength * 0.08 * np.sin(_beat(int(rng.integers(1, 4)))[:, None] + rng.uniform(0, 6, 3)) * [1, 1.5, 1]
    return _posed(body, turns, shift)


def _leg_turn(bone: Bone, phase: np.ndarray, strength: float, lift: float, crawls: bool) -> np.ndarray:
    """(T, 3)"""
    turn = np.zeros((POSES, 3))
    raised = np.maximum(0, np.sin(phase + 0.6 * math.pi))
    if crawls:  # legs that stand out sweep about the vertical and are lifted sideways
        turn[:, 1] = (bone.link == 0) * 0.5 * strength * np.sin(phase)
        turn[:, 2] = (bone.link == 0) * bone.side * 0.4 * lift * raised
    elif bone.link == 0:
        turn[:, 0] = 0.8 * strength * np.sin(phase)
    else:
        turn[:, 0] = (1.1 if bone.link == 1 else -0.6) * lift * raised
    return turn


def _mostly_forward(rng: np.random.Generator, bone: Bone) -> np.ndarray:
    """(3,): an axis; limbs swing about X more than about the others."""
    limb = bone.role in ("leg", "arm", "neck", "spine")
    axis = rng.normal(0, 1, 3) * (np.array([1.0, 0.5, 0.5]) if limb else 1.0)
    return np.asarray(axis / np.linalg.norm(axis).clip(1e-6))


def _is_long(body: Body) -> bool:
    return not any(bone.role in ("leg", "wing") for bone in body.bones)


def _beat(cycles: int) -> np.ndarray:
    return 2 * math.pi * cycles * np.arange(POSES) / POSES


def _posed(body: Body, turns: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """turns (T, bones, 3): about each bone's head, in its parent's axes; shift (T, 3): of all -> (T, bones, 3, 4)."""
    poses = np.zeros((len(turns), len(body.bones), 3, 4))
    for number, bone in enumerate(body.bones):
        rotation = _rotations(turns[:, number])
        offset = bone.head - rotation @ bone.head
        if bone.parent < 0:
            poses[:, number, :, :3] = rotation
            poses[:, number, :, 3] = offset + shift
        else:
            parent = poses[:, bone.parent]
            poses[:, number, :, :3] = parent[..., :3] @ rotation
            poses[:, number, :, 3] = np.einsum("tab,tb->ta", parent[..., :3], offset) + parent[..., 3]
    return poses


def _rotations(vectors: np.ndarray) -> np.ndarray:
    """(T, 3) axis times angle -> (T, 3, 3), by Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=-1)[:, None, None]
    x, y, z = (vectors / np.maximum(angle[..., 0], 1e-9)).T
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    return np.asarray(np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew)
