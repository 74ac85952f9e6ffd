"""Keyframes on the bones of a given rig, such that its skinned mesh meets a trajectory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.motion.quaternions import same_side, to_quaternion
from motion324.core.options.rig_settings import AUTO, ROOT, UNCONNECTED
from motion324.core.progress import Progress, silent
from motion324.core.rigs.rig import EULER_ORDERS, Armature, RigMotion, Skin
from motion324.rigging.bone_fit import MOST_STEPS, Prior, fit_poses
from motion324.rigging.freedom import Freedom
from motion324.rigging.kinematics import Chain, Poses
from motion324.rigging.rig_problem import Problem, distances, normalised, procrustes
from motion324.rigging.rotations import from_vector, to_euler, to_vector, without_leaps

LEAST_WEIGHT = 1e-3  # sum over the vertices: a bone with less moves nothing
STAY = 1e-5  # of the vertices: how much a bone is drawn to stay, or to its neighbours in time; see _prior_weights
LEVER = 0.05  # of the longest side: how far a typical vertex is from its joint
MOVES = 2e-3  # of the longest side: a bone whose location varies less than that is held
SCALES = 5e-3  # by its natural logarithm: a bone whose scale varies less than that is held
WORTH, WORTH_AT_WORST = 0.7, 0.5  # free locations are kept where the mean or the largest distance falls below this part
GOOD, GOOD_AT_WORST = 5e-4, 5e-3  # of the longest side: mean and largest distances that need nothing better
SMOOTHING_ROUNDS = 2
FAR = 0.05  # of the longest side: what is told as a place that the rig cannot follow
MOST_BONES = 1024


Report = Callable[[int], None]


def fit_armature(
    armature: Armature,
    skin: Skin,
    positions: np.ndarray,
    *,
    locations: str = AUTO,
    scale: bool = False,
    progress: Progress = silent,
) -> RigMotion:
    """positions (T, N, 3): the trajectory of the skin's vertices, in armature space.

    locations, scale: see motion324.core.options.rig_settings.RigSettings; the root's location is always free.
    progress: told the stage "rig".
    Raises Motion324Error: "rig-without-weights", "rig-too-large", "rig-scaled", "rig-locked", "trajectory-not-finite".
    """
    _check(armature, skin, positions)
    problem = normalised(armature, skin, positions)
    chain = Chain(problem.armature)
    weight = _weights_of(skin, armature.count)
    turned, roots = _turned(armature, weight)
    free = Freedom(problem.armature, turned, _movable(armature, roots), np.zeros(armature.count, bool))
    if not free.open.any():
        raise Motion324Error(
            "rig-locked",
            "Every bone with weights is locked in location and rotation, so none can be keyed.",
            "Unlock bones in the Transform panel, or remove their limits.",
            EXIT_BAD_MESH,
        )
    count = len(positions)
    stages = 3 + SMOOTHING_ROUNDS

    def report(stage: int) -> Report:
        return lambda done: progress("rig", min(stage * count + done, stages * count), stages * count)

    start = free.within(procrustes(problem, chain, free))
    still = Poses.resting(problem.armature, count)
    poses = fit_poses(chain, free, problem.sums, start, Prior(still, _prior_weights(free, problem)), report(0))
    if scale:
        free, poses = _with_scales(problem, chain, free, poses, report(1))
    if locations != ROOT:
        free, poses = _with_locations(problem, chain, free, poses, locations, report(2))
    for round_ in range(SMOOTHING_ROUNDS):
        poses = _smoothed(problem, chain, free, poses, report(3 + round_))
    return _motion(problem, chain, free, poses, armature, locations)


def _check(armature: Armature, skin: Skin, positions: np.ndarray) -> None:
    if armature.count > MOST_BONES:
        raise Motion324Error(
            "rig-too-large",
            f"The rig has {armature.count} bones; at most {MOST_BONES} can be keyed.",
            "Switch off 'Deform' of bones that move little, or keep shape keys.",
            EXIT_BAD_MESH,
        )
    if not np.isfinite(positions).all() or not np.isfinite(skin.positions).all():
        raise Motion324Error(
            "trajectory-not-finite", "Some places of the trajectory are no numbers.", "Animate again.", EXIT_BAD_MESH
        )
    if _weights_of(skin, armature.count).max(initial=0.0) < LEAST_WEIGHT:
        raise Motion324Error(
            "rig-without-weights",
            "No vertex has a weight of a bone that deforms, so bones cannot move the mesh.",
            "Parent the mesh to the armature with automatic weights, or paint weights.",
            EXIT_BAD_MESH,
        )
    armature.check_scale()


def _weights_of(skin: Skin, count: int) -> np.ndarray:
    """(J,): of each bone, over all vertices."""
    return np.bincount(np.asarray(skin.joints).ravel(), np.asarray(skin.weights, float).ravel(), minlength=count)


def _turned(armature: Armature, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(J,) bool: the bones to turn, and the uppermost of them, which carry all others.

    Where no bone with weights carries all others, the lowest that has them all below itself is taken in.
    """
    turned = weight >= LEAST_WEIGHT
    parents = armature.parents
    uppermost = turned.copy()
    for j in np.flatnonzero(turned):
        above = parents[j]
        while above >= 0 and not turned[above]:
            above = parents[above]
        uppermost[j] = above < 0
    tops = np.flatnonzero(uppermost)
    if len(tops) == 1:
        return turned, uppermost
    lines = [_upwards(parents, int(j)) for j in tops]
    common = set(lines[0]).intersection(*lines[1:])
    if not common:
        return turned, uppermost
    root = next(j for j in lines[0] if j in common)
    turned[root], uppermost = True, np.zeros_like(uppermost)
    uppermost[root] = True
    return turned, uppermost


def _upwards(parents: np.ndarray, j: int) -> list[int]:
    line = [j]
    while parents[line[-1]] >= 0:
        line.append(int(parents[line[-1]]))
    return line


def _movable(armature: Armature, bones: np.ndarray) -> np.ndarray:
    """(J,) bool: those of the bones whose location may be keyed at all."""
    return bones & ~np.asarray(armature.connected) & (armature.location_high > armature.location_low).any(axis=1)


def _prior_weights(free: Freedom, problem: Problem) -> np.ndarray:
    """(U,): so small that they decide only what no vertex tells, such as the twist of a bone of few vertices."""
    vertices = STAY * len(problem.skin.positions)
    weights = np.full(len(free.units), vertices * LEVER**2)
    weights[free.parts[1]] = vertices
    return weights


def _with_scales(problem: Problem, chain: Chain, free: Freedom, poses: Poses, report: Report) -> tuple[Freedom, Poses]:
    """Lets the bones that turn grow and shrink as well; those that hardly do are held as they stand."""
    armature = problem.armature
    scalable = free.turned & (armature.scale_high > armature.scale_low)
    still = Poses.resting(armature, len(problem.positions))
    wider = Freedom(armature, free.turned, free.moved, scalable)
    growing = fit_poses(chain, wider, problem.sums, poses, Prior(still, _prior_weights(wider, problem)), report)
    spread = np.sqrt(np.square(np.log(growing.growth)).mean(axis=0))
    narrower = Freedom(armature, free.turned, free.moved, scalable & (spread > SCALES))
    start = Poses(growing.rotation, growing.location, np.where(narrower.scaled, growing.growth, 1.0))
    prior = Prior(still, _prior_weights(narrower, problem))
    return narrower, fit_poses(chain, narrower, problem.sums, start, prior, report)


def _with_locations(
    problem: Problem, chain: Chain, free: Freedom, poses: Poses, locations: str, report: Report
) -> tuple[Freedom, Poses]:
    """Lets unconnected bones move as well; AUTO only where that brings the mesh clearly nearer."""
    before, worst_before, _ = distances(problem, chain, poses)
    movable = _movable(problem.armature, free.turned) | free.moved
    is_good = before.mean() < GOOD and worst_before.max() < GOOD_AT_WORST
    if (movable == free.moved).all() or (locations == AUTO and is_good):
        return free, poses
    wider = Freedom(problem.armature, free.turned, movable, free.scaled)
    still = Poses.resting(problem.armature, len(problem.positions))
    moving = fit_poses(chain, wider, problem.sums, poses, Prior(still, _prior_weights(wider, problem)), report)
    if locations == UNCONNECTED:
        return wider, moving
    spread = np.sqrt(np.square(moving.location - still.location).sum(axis=2).mean(axis=0))
    needed = free.moved | (movable & (spread > MOVES))
    narrower = Freedom(problem.armature, free.turned, needed, free.scaled)
    location = np.where(needed[:, None], moving.location, still.location)
    start = Poses(moving.rotation, location, moving.growth)
    moving = fit_poses(chain, narrower, problem.sums, start, Prior(still, _prior_weights(narrower, problem)), report)
    after, worst_after, _ = distances(problem, chain, moving)
    is_worth = after.mean() < WORTH * before.mean() or worst_after.max() < WORTH_AT_WORST * worst_before.max()
    return (narrower, moving) if is_worth else (free, poses)


def _smoothed(problem: Problem, chain: Chain, free: Freedom, poses: Poses, report: Report) -> Poses:
    """Draws every frame a little to the middle of the frames beside it: where vertices tell nothing, time does. Both
    sides count alike, so that nothing lags.
    """
    count = len(poses.rotation)
    if count < 3:
        return poses
    back = np.swapaxes(poses.rotation[:-2], -1, -2)
    between = poses.rotation[:-2] @ from_vector(to_vector(back @ poses.rotation[2:]) / 2)
    middle = poses.copy()
    middle.rotation[1:-1] = between
    middle.location[1:-1] = (poses.location[:-2] + poses.location[2:]) / 2
    middle.growth[1:-1] = np.sqrt(poses.growth[:-2] * poses.growth[2:])
    prior = Prior(middle, _prior_weights(free, problem))
    return fit_poses(chain, free, problem.sums, poses, prior, report, MOST_STEPS // 3)


def _motion(
    problem: Problem, chain: Chain, free: Freedom, poses: Poses, armature: Armature, locations: str
) -> RigMotion:
    mean, largest, worst = distances(problem, chain, poses)
    euler = np.zeros((*poses.location.shape[:2], 3))
    for j, mode in enumerate(armature.rotation_modes):
        if mode in EULER_ORDERS:
            angles = to_euler(poses.rotation[:, j], mode)
            as_limited = free.by_angles[j] and armature.limit_orders[j] == mode
            euler[:, j] = angles if as_limited else without_leaps(angles, mode)
    turned = free.turned & (armature.rotation_high > armature.rotation_low).any(axis=1)
    rotation = same_side(to_quaternion(poses.rotation))
    for j in np.flatnonzero(free.by_components):  # on the side on which the locked ones are what they were
        locked = armature.locked_components[j]
        rotation[:, j] *= -1.0 if rotation[0, j, locked] @ armature.rotation[j, locked] < 0 else 1.0
    return RigMotion(
        turned=turned,
        moved=free.moved,
        scaled=free.scaled,
        held=free.turned & ~(turned | free.moved | free.scaled),
        location=poses.location * problem.scale,
        rotation=rotation,
        euler=euler,
        scale=poses.growth[..., None] * problem.armature.scale,
        mean=mean,
        largest=largest,
        worst=worst.astype(np.float32),
        warnings=tuple(_warnings(problem, mean, largest, worst)),
        report={
            "bones": int(turned.sum()),
            "bones_with_location": int(free.moved.sum()),
            "bones_with_scale": int(free.scaled.sum()),
            "mean": float(mean.mean()),
            "largest": float(largest.max()),
            "worst_frame": int(largest.argmax()),
        },
    )


def _warnings(problem: Problem, mean: np.ndarray, largest: np.ndarray, worst: np.ndarray) -> list[dict[str, str]]:
    told = []
    loose = int((np.asarray(problem.skin.weights).sum(axis=1) <= 0).sum())
    if loose:
        sentence = f"{loose} of {len(worst)} vertices have no weights: bones do not move them, and they stay."
        told.append({"code": "rig-loose-vertices", "sentence": sentence})
    if largest.max() > FAR:
        far = int((worst > FAR).sum())
        sentence = (
            f"The rig cannot follow everywhere: {far} of {len(worst)} vertices are more than {100 * FAR:.0f} % of the "
            f"longest side away at times, most in frame {int(largest.argmax())} ({100 * largest.max():.1f} %); the "
            f"mean is {100 * mean.mean():.2f} %."
        )
        told.append({"code": "rig-cannot-follow", "sentence": sentence})
    return told
