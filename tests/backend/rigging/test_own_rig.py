"""Keys on the bones of a given rig: an exact answer is found again, with limits, from afar, and without leaps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from backend_rigs import armature, cloud, swing, trajectory

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.motion.quaternions import from_quaternion, same_side, to_quaternion
from motion324.core.rigs.rig import EULER_ORDERS, Skin
from motion324.rigging.bone_fit import Prior, Sums, _Batch
from motion324.rigging.freedom import Freedom
from motion324.rigging.hessian import meeting_pairs, plain_hessians
from motion324.rigging.hessian_kernel import compiled_hessians
from motion324.rigging.kinematics import Chain, Poses
from motion324.rigging.own_rig import fit_armature
from motion324.rigging.rotations import from_euler, from_vector, to_euler, to_vector, without_leaps
from motion324.rigging.skinning import Basis


def test_an_exact_answer_is_found():
    rig = armature()
    skin = cloud(rig)
    poses = swing(rig)
    motion = fit_armature(rig, skin, trajectory(rig, skin, poses))
    assert motion.mean.mean() < 1e-5 and motion.largest.max() < 1e-3
    np.testing.assert_allclose(from_quaternion(motion.rotation), poses.rotation, atol=1e-3)
    assert motion.moved.tolist() == [True] + [False] * 6 and motion.turned.all()


def test_turns_of_more_than_half_a_circle_are_found_from_any_pose():
    rig = armature(rotation=to_quaternion(from_vector(np.random.default_rng(3).normal(0, 2, (7, 3)))))
    skin = cloud(rig)
    motion = fit_armature(rig, skin, trajectory(rig, skin, swing(rig, turn=2.5)))
    assert motion.mean.mean() < 1e-4


@pytest.mark.parametrize("keeps", [{"inherits_rotation": 2}, {"local_location": 0}, {"inherits_rotation": 4}])
def test_bones_that_do_not_inherit_are_followed(keeps):
    ((name, bone),) = keeps.items()
    flags = np.ones(7, bool)
    flags[bone] = False
    rig = armature(**{name: flags})
    skin = cloud(rig)
    assert fit_armature(rig, skin, trajectory(rig, skin, swing(rig))).mean.mean() < 1e-5


@pytest.mark.parametrize("scaled", [np.zeros(7, bool), np.arange(7) < 5])
def test_the_hessian_is_the_derivative_of_the_gradient_and_that_of_the_error(scaled):
    flags = np.ones(7, bool)
    flags[4] = False
    rig = armature(inherits_rotation=flags, inherits_scale=~np.isin(np.arange(7), (2, 4)))
    rig = dataclasses.replace(rig, rotation_high=np.where(np.arange(7)[:, None] == 2, 9.0, np.inf))  # by angles
    skin = cloud(rig)
    target = trajectory(rig, skin, swing(rig, frames=1, seed=5)).astype(np.float64)
    free = Freedom(rig, np.ones(7, bool), np.arange(7) < 3, scaled)
    chain, basis = Chain(rig), Basis.of(skin, 7)
    poses = swing(rig, frames=1, move=0.1, grow=0.5)
    prior = Prior(poses, np.zeros(len(free.units)))
    pairs = np.nonzero(np.ones((7, 7)))
    batch = _Batch(chain, free, Sums(basis.gram, *basis.pull(target)), prior, pairs)
    placed = chain.place(poses)
    maps, screws = chain.skinning(placed), free.screws(poses, placed)
    gradient = np.einsum("tusa,tus->tua", screws, batch._gradient(placed, maps, np.array([0]))[:, free.units]).ravel()
    hessian = plain_hessians(chain, placed, maps, screws, basis.gram, meeting_pairs(basis.gram, 7), free.units)[0]
    small, count = 1e-5, len(gradient)
    for k in range(count):
        step = np.zeros((1, count // 3, 3))
        step.ravel()[k] = small
        errors = [batch._energies(free.stepped(poses, sign * step), np.array([0]))[0] for sign in (1, -1)]
        assert (errors[0] - errors[1]) / (2 * small) == pytest.approx(gradient[k], rel=1e-4, abs=1e-6)
    moved = []
    for k in range(count):  # Gauss and Newton's part of the Hessian: what steps do to the vertices
        step = np.zeros((1, count // 3, 3))
        step.ravel()[k] = small
        there = [basis.skinned(chain.skinning(chain.place(free.stepped(poses, sign * step))))[0] for sign in (1, -1)]
        moved.append((there[0] - there[1]).ravel() / (2 * small))
    np.testing.assert_allclose(hessian, np.array(moved) @ np.array(moved).T, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("scaled", [np.zeros(7, bool), np.arange(7) < 5])
def test_the_compiled_hessian_is_the_plain_one(scaled):
    flags = np.ones(7, bool)
    flags[[2, 4]] = False
    rig = armature(inherits_rotation=flags, inherits_scale=~np.isin(np.arange(7), (3, 4)))
    basis = Basis.of(cloud(rig), 7)
    free = Freedom(rig, np.arange(7) != 3, np.arange(7) < 3, scaled)
    chain, poses = Chain(rig), swing(rig, frames=5, grow=0.5)
    placed = chain.place(poses)
    given = (chain, placed, chain.skinning(placed), free.screws(poses, placed), basis.gram)
    plain = plain_hessians(*given, meeting_pairs(basis.gram, 7), free.units)
    compiled = compiled_hessians(*given, meeting_pairs(basis.gram, 7), free.units)
    np.testing.assert_allclose(compiled, plain, rtol=1e-9, atol=1e-9 * np.abs(plain).max())


def test_limits_and_locks_hold_and_the_rest_makes_the_best_of_it():
    low, high = np.full((7, 3), -np.inf), np.full((7, 3), np.inf)
    low[1], high[1] = (-0.2, 0, -np.inf), (0.2, 0, np.inf)
    rig = armature(rotation_low=low, rotation_high=high, rotation_modes=("XYZ",) * 7)
    skin = cloud(rig)
    motion = fit_armature(rig, skin, trajectory(rig, skin, swing(rig)))
    angles = motion.euler[:, 1]
    assert (np.abs(angles[:, 0]) <= 0.2 + 1e-9).all() and (angles[:, 1] == 0).all() and np.ptp(angles[:, 2]) > 0.1
    assert 1e-3 < motion.mean.mean() < 0.2


def test_limits_hold_in_the_order_in_which_they_count():
    low, high = np.full((7, 3), -np.inf), np.full((7, 3), np.inf)
    low[1], high[1] = (-0.2, -0.1, -np.inf), (0.2, 0.1, np.inf)
    for mode in ("QUATERNION", "XYZ"):
        rig = armature(rotation_low=low, rotation_high=high, rotation_modes=(mode,) * 7, limit_orders=("ZXY",) * 7)
        skin = cloud(rig)
        motion = fit_armature(rig, skin, trajectory(rig, skin, swing(rig)))
        turns = from_quaternion(motion.rotation[:, 1])
        angles = to_euler(turns, "ZXY")
        assert (np.abs(angles[:, :2]) <= np.array([0.2, 0.1]) + 1e-9).all() and np.ptp(angles[:, 2]) > 0.1
        if mode == "XYZ":
            np.testing.assert_allclose(from_euler(motion.euler[:, 1], "XYZ"), turns, atol=1e-9)


STRAIGHT, BENT = (1.0, 0, 0, 0), (0.7, -0.5, 0.1, 0.5)  # quaternions


@pytest.mark.parametrize(
    ("resting", "locked"),
    [(STRAIGHT, "0010"), (STRAIGHT, "0101"), (BENT, "0010"), (BENT, "0101"), (BENT, "1000"), (BENT, "1001")],
)
def test_locked_components_of_a_quaternion_stay_and_what_they_allow_is_found_exactly(resting, locked):
    locked = np.array([each == "1" for each in locked])
    own = np.array(resting) / np.linalg.norm(resting)
    rig = armature()
    rig.locked_components[1], rig.rotation[1] = locked, own
    skin, poses = cloud(rig), swing(rig, frames=16)
    turns = to_quaternion(poses.rotation[:, 1] @ from_quaternion(own))
    turns[:, locked] = own[locked]
    turns[:, ~locked] *= np.sqrt(1 - own[locked] @ own[locked]) / np.linalg.norm(turns[:, ~locked], axis=1)[:, None]
    poses.rotation[:, 1] = from_quaternion(turns)
    motion = fit_armature(rig, skin, trajectory(rig, skin, poses))
    np.testing.assert_allclose(motion.rotation[:, 1, locked], np.tile(own[locked], (16, 1)), atol=1e-9)
    assert motion.mean.mean() < 1e-4 and np.ptp(motion.rotation[:, 1], axis=0).max() > 0.05


def test_what_limits_allow_is_found_exactly():
    low, high = np.full((7, 3), -np.inf), np.full((7, 3), np.inf)
    low[1], high[1] = (-0.3, 0, -0.3), (0.3, 0, 0.3)
    modes = ("YZX",) * 7
    rig = armature(rotation_low=low, rotation_high=high, rotation_modes=modes, limit_orders=modes)
    skin = cloud(rig)
    poses = swing(rig)
    allowed = np.clip(to_euler(poses.rotation[:, 1], "YZX"), low[1], high[1])
    rotation = poses.rotation.copy()
    rotation[:, 1] = from_euler(allowed, "YZX")
    motion = fit_armature(rig, skin, trajectory(rig, skin, Poses(rotation, poses.location, poses.growth)))
    assert motion.mean.mean() < 1e-4
    np.testing.assert_allclose(motion.euler[:, 1], allowed, atol=5e-3)


def test_bones_that_slide_are_freed_only_where_it_is_worth_it():
    rig = armature()
    skin = cloud(rig)
    sliding = trajectory(rig, skin, swing(rig, move=0.1))
    assert fit_armature(rig, skin, sliding).mean.mean() < 1e-4
    root = fit_armature(rig, skin, sliding, locations="root")
    assert root.moved.sum() == 1 and root.mean.mean() > 1e-3
    rng = np.random.default_rng(2)
    noisy = trajectory(rig, skin, swing(rig)) + rng.normal(0, 0.01, (10, len(skin.positions), 3)).astype(np.float32)
    assert fit_armature(rig, skin, noisy).moved.sum() == 1
    everywhere = fit_armature(rig, skin, sliding, locations="unconnected")
    assert everywhere.moved.all() and everywhere.mean.mean() < 1e-4


@pytest.mark.parametrize("vertices", [1, 2, 3])
def test_bones_of_few_vertices_follow_their_parents(vertices):
    rig = armature()
    skin = cloud(rig)
    own = np.flatnonzero(skin.joints[:, 0] == 3)
    skin.joints[own[vertices:], 0] = 2
    positions = trajectory(rig, skin, swing(rig))
    motion = fit_armature(rig, skin, positions)
    assert motion.mean.mean() < 1e-4 and motion.turned[3]


def test_connected_bones_never_move():
    connected = np.arange(7) > 0
    rig = armature(connected=connected)
    skin = cloud(rig)
    motion = fit_armature(rig, skin, trajectory(rig, skin, swing(rig, move=0.1)), locations="unconnected")
    assert motion.moved.tolist() == [True] + [False] * 6 and (motion.location[:, 1:] == 0).all()


def test_bones_without_weights_stay_but_the_one_that_carries_all_others():
    rig = armature()
    skin = cloud(rig)
    held = skin.joints[:, :1]
    only = Skin(skin.positions, held, np.where(np.isin(held, (0, 1)), 0, 1).astype(np.float32))
    motion = fit_armature(rig, only, trajectory(rig, only, swing(rig)), locations="root")
    # 6 hangs on 0, all others on 1, which has no weights either.
    assert motion.turned.tolist() == [True, False, True, True, True, True, True]
    assert motion.moved.tolist() == [True] + [False] * 6


def test_a_bone_that_vertices_say_nothing_of_follows_time_and_does_not_shake():
    rig = armature((-1, 0))
    along = rig.rest[1, :3, 3] + np.linspace(0, 0.3, 8)[:, None] * rig.rest[1, :3, 1]  # its twist moves nothing
    body = cloud(armature((-1,)), 40)
    skin = Skin(
        np.concatenate([body.positions, along]).astype(np.float32),
        np.r_[np.zeros(40, int), np.ones(8, int)][:, None].astype(np.int32),
        np.ones((48, 1), np.float32),
    )
    rng = np.random.default_rng(0)
    poses = swing(rig, frames=20, turn=0.3)
    noisy = trajectory(rig, skin, poses) + rng.normal(0, 1e-3, (20, 48, 3)).astype(np.float32)
    turns = from_quaternion(fit_armature(rig, skin, noisy).rotation[:, 1])
    steps = np.linalg.norm(to_vector(np.swapaxes(turns[:-1], 1, 2) @ turns[1:]), axis=1)
    assert steps.max() < 0.35


def test_rotations_do_not_leap():
    rig = armature(rotation_modes=("QUATERNION", "XYZ", "ZYX", "YXZ", "XZY", "YZX", "ZXY"))
    skin = cloud(rig)
    motion = fit_armature(rig, skin, trajectory(rig, skin, swing(rig, frames=40, turn=2.5)))
    assert (np.einsum("tjc,tjc->tj", motion.rotation[1:], motion.rotation[:-1]) > 0.5).all()
    assert np.abs(np.diff(motion.euler, axis=0)).max() < 2.0
    for j, mode in enumerate(rig.rotation_modes[1:], start=1):
        same = from_quaternion(motion.rotation[:, j])
        np.testing.assert_allclose(from_euler(motion.euler[:, j], mode), same, atol=1e-6)


def test_smoothing_over_time_does_not_lag():
    rig = armature()
    skin = cloud(rig)
    poses = swing(rig, frames=21)
    forward = trajectory(rig, skin, poses)
    there = fit_armature(rig, skin, forward)
    back = fit_armature(rig, skin, forward[::-1])
    np.testing.assert_allclose(from_quaternion(there.rotation), from_quaternion(back.rotation)[::-1], atol=1e-3)


@pytest.mark.parametrize("order", EULER_ORDERS)
def test_euler_angles_come_back_and_take_the_short_way(order):
    turns = from_vector(np.cumsum(np.random.default_rng(0).normal(0, 0.3, (60, 3)), axis=0))
    angles = without_leaps(to_euler(turns, order), order)
    np.testing.assert_allclose(from_euler(angles, order), turns, atol=1e-9)
    straight = from_euler(np.array([0.3, 0.0, 0.7]) + np.eye(3)["XYZ".index(order[1])] * np.pi / 2, order)
    np.testing.assert_allclose(from_euler(to_euler(straight, order), order), straight, atol=1e-6)


def test_quaternions_stay_on_one_side():
    turns = from_vector(np.linspace(0, 9, 50)[:, None] * np.array([0.0, 0.6, 0.8]))
    quaternions = same_side(to_quaternion(turns))
    assert (np.einsum("tc,tc->t", quaternions[1:], quaternions[:-1]) > 0.9).all()
    np.testing.assert_allclose(from_quaternion(quaternions), turns, atol=1e-12)


@pytest.mark.long
def test_one_bone_five_hundred_bones_and_one_frame_work():
    one = armature((-1,))
    skin = cloud(one)
    assert fit_armature(one, skin, trajectory(one, skin, swing(one))).mean.mean() < 1e-5
    many = armature(tuple(range(-1, 499)))
    skin = cloud(many, per_bone=6)
    assert fit_armature(many, skin, trajectory(many, skin, swing(many, frames=2, turn=0.05))).mean.mean() < 2e-3
    rig = armature()
    skin = cloud(rig)
    assert fit_armature(rig, skin, trajectory(rig, skin, swing(rig, frames=1))).mean.mean() < 1e-5


def test_loose_vertices_and_torn_parts_are_told():
    rig = armature()
    skin = cloud(rig)
    positions = trajectory(rig, skin, swing(rig))
    loose = Skin(skin.positions, skin.joints, np.where(np.arange(210)[:, None] < 9, 0, skin.weights))
    positions[3:, 20:25] += 2.0
    motion = fit_armature(rig, loose, positions)
    told = {warning["code"]: warning["sentence"] for warning in motion.warnings}
    assert "9 of 210 vertices" in told["rig-loose-vertices"] and "cannot follow" in told["rig-cannot-follow"]
    assert motion.worst[20:25].min() > 0.2 and motion.largest.argmax() >= 3


def spoilt(rig, skin, positions, how):
    count = rig.count
    fixed = np.zeros((count, 3))
    if how == "rig-too-large":
        return armature((-1,) + (0,) * 1100), Skin(skin.positions, skin.joints, skin.weights), positions
    if how == "trajectory-not-finite":
        return rig, skin, np.where(np.arange(len(skin.positions))[:, None] == 3, np.nan, positions)
    if how == "rig-without-weights":
        return rig, Skin(skin.positions, skin.joints, skin.weights * 0), positions
    if how == "rig-scaled":
        return dataclasses.replace(rig, scale=np.where(np.arange(3) == 1, -1.0, np.ones((count, 3)))), skin, positions
    limits = {f"{what}_{end}": fixed for what in ("rotation", "location") for end in ("low", "high")}
    return dataclasses.replace(rig, **limits), skin, positions


@pytest.mark.parametrize(
    "how", ["rig-too-large", "trajectory-not-finite", "rig-without-weights", "rig-scaled", "rig-locked"]
)
def test_what_cannot_be_keyed_is_refused_in_a_sentence(how):
    rig = armature()
    skin = cloud(rig)
    with pytest.raises(Motion324Error) as error:
        fit_armature(*spoilt(rig, skin, trajectory(rig, skin, swing(rig)), how))
    assert error.value.code == how and error.value.sentence.endswith(".") and error.value.hint


def test_progress_rises_and_can_stop_it():
    rig = armature()
    skin = cloud(rig)
    positions = trajectory(rig, skin, swing(rig))
    told = []
    fit_armature(rig, skin, positions, progress=lambda *args: told.append(args))
    assert told and all(stage == "rig" and 0 <= done <= total for stage, done, total in told)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)

    def stop(stage, done, total):
        raise Cancelled()

    with pytest.raises(Cancelled):
        fit_armature(rig, skin, positions, progress=stop)
