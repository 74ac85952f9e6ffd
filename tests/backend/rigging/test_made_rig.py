"""Rigs made from a motion: parts, weights, joints and names, and how near the whole comes to the trajectory."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from backend_rigs import armature, bending, cloud, swing, trajectory, tube
from scipy import sparse

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.options.rig_settings import RigSettings
from motion324.core.rigs.rig import Skin
from motion324.rigging.body import body_of
from motion324.rigging.joints import find_skeleton
from motion324.rigging.kinematics import Chain, Poses
from motion324.rigging.made_rig import make_rig
from motion324.rigging.moving_parts import part_motion, split_into_parts
from motion324.rigging.rotations import from_vector
from motion324.rigging.weight_fit import fit_weights, neighbour_means


def test_a_tube_with_two_joints_gets_three_bones_at_its_joints():
    positions, faces = tube()
    moved = bending(positions)
    rigged = make_rig(moved, faces, RigSettings(bones=3))
    assert rigged.armature.count == 3 and rigged.motion.mean.mean() < 3e-3
    heads = sorted(float(head[0]) for head in rigged.armature.rest[1:, :3, 3])
    assert rigged.armature.parents.tolist() in ([-1, 0, 0], [-1, 0, 1])
    assert any(abs(head - 1) < 0.1 for head in heads) and any(abs(head - 2) < 0.1 for head in heads)
    assert rigged.armature.names[0] == "root" and len(set(rigged.armature.names)) == 3
    assert (rigged.armature.lengths > 0.05).all()


def test_auto_takes_the_fewest_bones_within_the_tolerance():
    positions, faces = tube()
    moved = bending(positions)
    loose = make_rig(moved, faces, RigSettings(tolerance=2.0))
    tight = make_rig(moved, faces, RigSettings(tolerance=0.3))
    assert loose.armature.count < tight.armature.count <= 6
    assert tight.motion.mean.mean() <= 0.003 and loose.motion.mean.mean() <= 0.02


def test_the_first_frame_is_the_rest_pose_and_the_keys_show_the_trajectory():
    positions, faces = tube()
    moved = bending(positions)
    rigged = make_rig(moved, faces, RigSettings())
    np.testing.assert_allclose(rigged.skin.positions, moved[0], atol=1e-5)
    from motion324.rigging.skinning import Basis

    chain = Chain(rigged.armature)
    poses = Poses.keyed(rigged.armature, rigged.motion)
    basis = Basis.of(rigged.skin, rigged.armature.count)
    shown = basis.skinned(chain.skinning(chain.place(poses)))
    apart = np.linalg.norm(shown - moved, axis=2) / np.ptp(moved[0], axis=0).max()
    np.testing.assert_allclose(apart.mean(axis=1), rigged.motion.mean, atol=1e-5)
    assert apart[0].max() < 2e-3


def test_weights_are_few_clean_and_sum_to_one():
    positions, faces = tube()
    rigged = make_rig(bending(positions), faces, RigSettings(bones=6, influences=2))
    weights = rigged.skin.weights
    assert (weights > 0).sum(axis=1).max() <= 2
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert weights[weights > 0].min() >= 0.02


def test_vertices_of_one_place_have_the_same_weights():
    positions, faces = tube()
    moved = bending(positions)
    doubled = np.concatenate([moved, moved], axis=1)
    both = np.concatenate([faces, faces + len(positions)])
    skin = make_rig(doubled, both, RigSettings(bones=3)).skin
    dense = np.zeros((len(doubled[0]), 3))
    np.put_along_axis(dense, skin.joints.astype(int), skin.weights, axis=1)
    np.testing.assert_allclose(dense[: len(positions)], dense[len(positions) :], atol=1e-3)


def test_a_part_that_flies_away_is_one_rigid_bone_that_moves():
    positions, faces = tube()
    moved = np.tile(positions, (10, 1, 1)).astype(np.float32)
    other = moved + np.float32([0, 3, 0])
    other += (np.arange(10) ** 2)[:, None, None] * np.float32([0.02, 0.05, 0])
    rigged = make_rig(
        np.concatenate([moved, other], axis=1), np.concatenate([faces, faces + len(positions)]), RigSettings(bones=2)
    )
    assert rigged.motion.mean.mean() < 1e-3 and rigged.motion.moved.all()
    own = [set(rigged.skin.joints[part][rigged.skin.weights[part] > 0.5]) for part in (slice(0, 192), slice(192, 384))]
    assert all(len(bones) == 1 for bones in own) and own[0] != own[1]


def test_rotations_of_made_bones_do_not_leap():
    positions, faces = tube()
    rotation = make_rig(bending(positions, frames=30), faces, RigSettings(bones=4)).motion.rotation
    assert (np.einsum("tjc,tjc->tj", rotation[1:], rotation[:-1]) > 0.8).all()


def test_sides_are_named_as_blender_mirrors_them():
    positions, faces = tube(12)
    arm = positions * [0.4, 1, 1] + [0.3, 0, 0]
    body = np.stack([positions[:, 1] * 1.5, positions[:, 2] * 1.5, positions[:, 0] - 1.5], axis=1)
    frames = []
    for t in range(10):
        turn = from_vector(np.array([0, 0, 0.6 * np.sin(0.5 * t)]))
        left = (arm - [0.3, 0, 0]) @ turn.T + [0.3, 0, 0]
        right = (arm * [-1, 1, 1] + [0.3, 0, 0]) @ turn - [0.3, 0, 0]
        frames.append(np.concatenate([body, left, right]))
    count = len(positions)
    all_faces = np.concatenate([faces, faces + count, faces + 2 * count])
    names = make_rig(np.array(frames, np.float32), all_faces, RigSettings(bones=3)).armature.names
    assert names[0] == "root" and sum(name.endswith((".L", ".R")) for name in names) >= 1


def test_parts_are_found_and_their_motion_is_rigid():
    rig = armature((-1, 0, 1))
    skin = cloud(rig, 40)
    sharp = Skin(skin.positions, skin.joints[:, :1], np.ones((120, 1), np.float32))
    positions = trajectory(rig, sharp, swing(rig)).astype(float)
    rest = positions[0]
    everybody = sparse.csr_matrix(np.ones((120, 120), bool))
    labels = split_into_parts(rest, positions, everybody, 3)
    assert labels.max() == 2
    assert all(len(set(labels[part])) == 1 for part in (slice(0, 40), slice(40, 80), slice(80, 120)))
    turns, shifts = part_motion(rest, positions, labels)
    moved = np.einsum("tsab,sb->tsa", turns[:, labels], rest) + shifts[:, labels]
    np.testing.assert_allclose(moved, positions, atol=1e-5)
    assert split_into_parts(rest, positions, everybody, 40).max() + 1 <= 40


def test_exact_weights_are_found_again():
    rig = armature((-1, 0, 1))
    skin = cloud(rig, 40)
    poses = swing(rig)
    positions = trajectory(rig, skin, poses).astype(float)
    chain = Chain(rig)
    maps = chain.skinning(chain.place(poses))
    nobody = neighbour_means(120, np.zeros((0, 3), int), np.arange(120))
    found = fit_weights(np.asarray(skin.positions, float), positions, maps, nobody, 4, 0.0)
    dense, truth = np.zeros((120, 3)), np.zeros((120, 3))
    np.put_along_axis(dense, found.joints.astype(int), found.weights, axis=1)
    np.add.at(truth, (np.arange(120)[:, None], skin.joints), skin.weights)
    assert np.quantile(np.abs(dense - truth), 0.98) < 0.03 and np.abs(dense - truth).max() < 0.1


def test_joints_are_where_parts_turn_about_each_other():
    rig = armature((-1, 0, 1))
    skin = cloud(rig, 40)
    chain = Chain(rig)
    own = np.arange(40)
    both = [np.stack([own + 40 * child, (own + 1) % 40 + 40 * child, own + 40 * (child - 1)], 1) for child in (1, 2)]
    surface = body_of(np.asarray(skin.positions, float), np.concatenate(both))  # each bone's touches its parent's
    body = dataclasses.replace(surface, centres=np.zeros((0, 3)), radii=np.zeros(0), owners=np.zeros(0, int))
    held = np.zeros((120, 3))
    np.add.at(held, (np.arange(120)[:, None], skin.joints), skin.weights)
    one, two = swing(rig, frames=20), swing(rig, frames=20, seed=2)  # about one axis a joint would be any point of it
    poses = Poses(one.rotation @ two.rotation, one.location, one.growth)
    skeleton = find_skeleton(held, chain.skinning(chain.place(poses)), body)
    assert sorted(skeleton.parents.tolist()).count(-1) == 1
    for joint in (1, 2):
        nearest = np.linalg.norm(skeleton.heads - rig.rest[joint, :3, 3], axis=1).min()
        assert nearest < 0.05
    assert skeleton.gaps.max() < 0.02


@pytest.mark.parametrize("how", ["trajectory-still", "trajectory-not-finite"])
def test_a_motion_that_is_none_is_refused(how):
    positions, faces = tube()
    moved = np.repeat(positions[None], 4, axis=0).astype(np.float32)
    if how == "trajectory-not-finite":
        moved[2, 3] = np.nan
    with pytest.raises(Motion324Error) as error:
        make_rig(moved, faces, RigSettings())
    assert error.value.code == how and error.value.hint


def test_it_can_be_stopped():
    positions, faces = tube()

    def stop(stage, done, total):
        assert stage == "rig" and 0 <= done <= total
        raise Cancelled()

    with pytest.raises(Cancelled):
        make_rig(bending(positions), faces, RigSettings(), progress=stop)


def loose_vertices(positions, faces):
    return np.concatenate([positions, positions[:, :20] + np.float32([0, 0, 9])], axis=1), faces


def no_faces(positions, faces):
    return positions, faces[:0]


def flat_faces(positions, faces):
    return positions, faces[:, [0, 0, 1]]


def a_sheet(positions, faces):
    return positions * np.float32([1, 1, 0]), faces


def torn_triangles(positions, faces):
    apart = positions[:, faces.ravel()]
    ways = np.repeat(np.random.default_rng(0).normal(0, 0.3, (len(faces), 3)), 3, axis=0)
    flown = apart + np.arange(len(positions))[:, None, None] * ways
    return flown.astype(np.float32), np.arange(faces.size).reshape(-1, 3)


@pytest.mark.parametrize("bones", [1, 6])
@pytest.mark.parametrize("spoil", [loose_vertices, no_faces, flat_faces, a_sheet, torn_triangles])
def test_meshes_that_are_no_bodies_get_a_rig_as_well(spoil, bones):
    positions, faces = tube(10, 6)
    moved, faces = spoil(bending(positions, frames=6), faces)
    rigged = make_rig(moved, faces, RigSettings(bones=bones))
    assert 1 <= rigged.armature.count <= bones and np.isfinite(rigged.armature.rest).all()
    assert np.isfinite(rigged.motion.mean).all() and (rigged.armature.lengths > 0).all()
    np.testing.assert_allclose(rigged.skin.weights.sum(axis=1), 1, atol=1e-6)
    told = {warning["code"] for warning in rigged.motion.warnings}
    assert ("rig-cannot-follow" in told) == (rigged.motion.largest.max() > 0.05)
