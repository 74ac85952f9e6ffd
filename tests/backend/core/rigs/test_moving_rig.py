"""Bones that move, cut, looped, put onto a root, and with fewer keys: what the skinned vertices do is what counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from motion324.core.errors import Motion324Error
from motion324.core.motion.quaternions import same_side, to_quaternion
from motion324.core.options.engine_settings import MotionEdits
from motion324.core.rigs.edited_rig import edit_rig
from motion324.core.rigs.key_reduction import all_keys, between_keys, reduce_keys
from motion324.core.rigs.moving_rig import (
    BoneCurves,
    MovingRig,
    curves_of,
    matrices_of,
    with_fewer_influences,
)

RNG = np.random.default_rng(5)


def about(axis, angles):
    """(T, 4): quaternions of turns about X, Y or Z."""
    found = np.zeros((len(angles), 4))
    found[:, 0], found[:, 1 + axis] = np.cos(angles / 2), np.sin(angles / 2)
    return found


def arm(frames=61, period=20, travel=0.0, turn=0.0):
    """A root on the ground that goes and turns about Z, and a chain of three bones above it that swings."""
    time = np.arange(frames)
    rest = np.tile(np.eye(4), (4, 1, 1))
    rest[1:, :3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]  # the bones' Y axis is up
    rest[1:, 2, 3] = [0, 1, 2]
    rotation = np.tile([1.0, 0, 0, 0], (frames, 4, 1))
    rotation[:, 0] = about(2, turn * time)
    for j in (1, 2, 3):
        rotation[:, j] = about(0, 0.3 * np.sin(2 * np.pi * time / period + j))
    location = np.zeros((frames, 4, 3))
    location[:, 0, 0] = travel * time
    heights = np.linspace(0, 3, 40)
    positions = np.stack([0.2 * RNG.normal(size=40), 0.2 * RNG.normal(size=40), heights], axis=1)
    joints = np.stack([1 + np.clip(heights.astype(int), 0, 2), 1 + np.clip(heights.astype(int) - 1, 0, 2)], axis=1)
    part = heights % 1
    curves = BoneCurves(location, rotation, np.ones((frames, 4, 3)))
    weights = np.stack([0.5 + part / 2, 0.5 - part / 2], axis=1)
    return MovingRig(
        ("root", "a", "b", "c"), np.array([-1, 0, 1, 2]), rest, np.ones(4), curves, positions, joints, weights, 24.0
    )


def vertices(rig):
    return rig.skinned(rig.matrices())


def test_curves_and_matrices_say_the_same():
    rig = arm(travel=0.1, turn=0.05)
    matrices = rig.matrices()
    found = curves_of(matrices, rig.parents, rig.rest)
    np.testing.assert_allclose(found.location, rig.curves.location, atol=1e-12)
    np.testing.assert_allclose(np.abs((found.rotation * rig.curves.rotation).sum(axis=-1)), 1, atol=1e-12)
    np.testing.assert_allclose(rig.matrices(found), matrices, atol=1e-12)


def test_quaternions_of_all_turns_come_back_without_leaps():
    quaternions = RNG.normal(size=(300, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    matrices = matrices_of(np.zeros((300, 3)), quaternions, np.ones((300, 3)))
    found = to_quaternion(matrices[:, :3, :3])
    np.testing.assert_allclose(np.abs((found * quaternions).sum(axis=1)), 1, atol=1e-12)
    turning = about(1, np.linspace(0, 20, 200))
    leaping = turning * np.where(RNG.random((200, 1)) < 0.5, -1, 1)
    found = same_side(leaping)
    assert np.linalg.norm(np.diff(found, axis=0), axis=1).max() < 0.1
    np.testing.assert_allclose(np.abs((found * turning).sum(axis=1)), 1, atol=1e-12)


def test_a_single_frame_has_quaternions_too():
    rig = arm(frames=1)
    found = curves_of(rig.matrices(), rig.parents, rig.rest)
    assert found.rotation.shape == (1, 4, 4) and len(vertices(rig)) == 1


def test_the_heaviest_weights_are_kept():
    joints, weights = with_fewer_influences(np.array([[4, 5, 6]]), np.array([[0.2, 0.5, 0.3]]), 2)
    np.testing.assert_array_equal(joints, [[5, 6]])
    np.testing.assert_allclose(weights, [[0.625, 0.375]])


def test_a_loop_of_bones_ends_where_it_begins():
    rig = arm(frames=53)
    edited = edit_rig(rig, MotionEdits(loop=True))
    assert edited.report["loop"]["frames"] == 40 and edited.report["loop"]["step"] < 1e-5
    found = vertices(edited.rig)
    assert len(found) == 41
    np.testing.assert_allclose(found[-1], found[0], atol=1e-5)
    first = edited.report["loop"]["first"]
    np.testing.assert_allclose(found[:-1], vertices(rig)[first : first + 40], atol=1e-4)


def test_what_a_loop_is_off_is_spread_over_turns_and_no_bone_leaps():
    rig = arm(frames=41, period=37)
    edited = edit_rig(rig, MotionEdits(loop=True, loop_at_least=30))
    found = vertices(edited.rig)
    np.testing.assert_allclose(found[-1], found[0], atol=1e-6)
    steps = np.linalg.norm(np.diff(found, axis=0), axis=-1).max(axis=1)
    assert steps[-1] < 1.5 * np.median(steps)


def test_a_bone_that_turns_around_once_in_a_loop_goes_on_turning():
    rig = arm(frames=30)
    rotation = rig.curves.rotation.copy()
    rotation[:, 3] = about(1, 2 * np.pi * np.arange(30) / 20)
    rotation[:, 1:3] = [1, 0, 0, 0]
    rig = MovingRig(**{**rig.__dict__, "curves": BoneCurves(rig.curves.location, rotation, rig.curves.scale)})
    edited = edit_rig(rig, MotionEdits(loop=True, loop_at_least=15, resample=48.0))
    assert edited.report["loop"]["frames"] == 20
    turns = edited.rig.curves.rotation[:, 3]
    cosines = (turns[1:] * turns[:-1]).sum(axis=1)
    np.testing.assert_allclose(cosines, np.cos(np.pi / 40), atol=1e-3)


def test_the_way_of_the_body_goes_onto_the_root_and_the_rest_stays_in_place():
    rig = arm(travel=0.2, turn=0.03)
    truth = vertices(rig)
    moved = edit_rig(rig, MotionEdits(root_motion="root"))
    np.testing.assert_allclose(vertices(moved.rig), truth, atol=1e-5)
    still = vertices(edit_rig(rig, MotionEdits(root_motion="in-place")).rig)
    assert np.ptp(still.mean(axis=1)[:, :2], axis=0).max() < 1e-5
    np.testing.assert_allclose(still[..., 2], truth[..., 2], atol=1e-5)
    curves = moved.rig.curves.at(slice(None))
    assert moved.report["root"]["travel"] > 2
    assert np.ptp(curves.location[:, 1], axis=0).max() < 1  # limbs no longer carry the travel of 12


def test_a_first_bone_that_holds_vertices_bounces_and_tilts_in_place():
    walking = arm(travel=0.2, turn=0.03)
    matrices = walking.matrices()[:, 1:]
    matrices[:, :, 2, 3] += 0.3 * np.sin(0.9 * np.arange(len(matrices)))[:, None]
    own = {"names": walking.names[1:], "parents": walking.parents[1:] - 1, "rest": walking.rest[1:]}
    curves = curves_of(matrices, own["parents"], own["rest"])
    joints, lengths = walking.joints - 1, walking.lengths[1:]
    rig = dataclasses.replace(walking, **own, lengths=lengths, curves=curves, joints=joints)
    truth, still = vertices(rig), vertices(edit_rig(rig, MotionEdits(root_motion="in-place")).rig)
    np.testing.assert_allclose(still[..., 2], truth[..., 2], atol=1e-5)
    assert np.ptp(truth.mean(axis=1)[:, 0]) > 2 and np.ptp(still.mean(axis=1)[:, :2], axis=0).max() < 1e-5
    shapes = [np.linalg.norm(each[:, :, None] - each[:, None], axis=-1) for each in (truth, still)]
    np.testing.assert_allclose(*shapes, atol=1e-4)


def test_resampled_bones_keep_the_frames_that_fall_together():
    rig = arm(frames=31)
    edited = edit_rig(rig, MotionEdits.of({"resample": 72.0, "clip": "1:"}))
    found = vertices(edited.rig)
    assert len(found) == 88 and edited.rig.fps == 72
    np.testing.assert_allclose(found[::3], vertices(rig)[1:], atol=1e-5)
    steps = np.linalg.norm(np.diff(found, axis=0), axis=-1).max(axis=1)
    assert (np.abs(np.diff(steps)) < 0.5 * steps.max()).all()


@pytest.mark.parametrize("tolerance", [0.003, 0.03, 0.3])
def test_keys_are_left_out_within_the_tolerance_of_every_vertex(tolerance):
    rig = arm(frames=121, period=40)
    keys = reduce_keys(rig, tolerance)
    shown = rig.skinned(rig.matrices(between_keys(rig.curves, keys.frames)))
    off = np.linalg.norm(shown - vertices(rig), axis=-1).max()
    assert off <= tolerance and off == pytest.approx(keys.largest)
    assert off > 0.4 * tolerance or keys.share > 0.9
    assert len(keys.frames[0]) == 1  # the root stands still
    assert all(frames[0] == 0 and frames[-1] == 120 for frames in keys.frames[1:])


def test_more_tolerance_leaves_fewer_keys_and_none_keeps_all():
    rig = arm(frames=121, period=40)
    shares = [reduce_keys(rig, tolerance).share for tolerance in (0.0, 0.003, 0.03, 0.3)]
    assert shares == sorted(shares, reverse=True) and shares[0] == all_keys(rig).share == 1 and shares[-1] < 0.15


def test_bones_too_short_for_a_loop_are_told():
    with pytest.raises(Motion324Error, match="too few for a loop"):
        edit_rig(arm(frames=4), MotionEdits(loop=True, loop_at_least=5))
