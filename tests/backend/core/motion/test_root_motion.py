"""A body that goes and turns over the ground: its way is found, taken off, and put back."""

from __future__ import annotations

import numpy as np
import pytest

from motion324.core.motion.edited_motion import edit_motion
from motion324.core.motion.root_motion import carried, in_place, root_motion_of
from motion324.core.options.engine_settings import MotionEdits
from motion324.core.reference_mesh import turned_y_up

BODY = np.random.default_rng(2).normal(size=(200, 3)) * [1.0, 0.5, 0.8] + [3, -2, 1]


def walking(frames=40, limbs=0.0):
    """(T, 200, 3) float32, Z up: along a bow, turning left by more than a whole turn, and hopping."""
    poses = []
    for t in range(frames):
        pose = BODY + limbs * np.sin(2 * np.pi * t / 10 + BODY)
        angle = 0.2 * t
        cos, sin = np.cos(angle), np.sin(angle)
        turned = (pose - BODY.mean(axis=0)) @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]).T
        poses.append(turned + BODY.mean(axis=0) + [0.1 * t, 0.02 * t * t, abs(np.sin(t))])
    return np.array(poses, np.float32)


@pytest.mark.parametrize("up", ["Z", "Y"])
def test_the_way_and_the_turn_are_found_on_the_ground(up):
    motion = walking() if up == "Z" else turned_y_up(walking(), "Z").astype(np.float32)
    root = root_motion_of(motion, up)
    np.testing.assert_allclose(root.turn, 0.2 * np.arange(40), atol=1e-5)
    t = np.arange(40)
    along, across = (0, 1) if up == "Z" else (1, 0)  # of (x, y), and of (z, x) = (-y, x)
    np.testing.assert_allclose(root.travel[:, along], 0.1 * t, atol=1e-4)
    np.testing.assert_allclose(root.travel[:, across], 0.02 * t * t * (1 if up == "Z" else -1), atol=1e-4)
    still = in_place(motion, root)
    upright = 2 if up == "Z" else 1
    level = [axis for axis in range(3) if axis != upright]
    assert np.abs(still - still[0])[..., level].max() < 1e-5
    np.testing.assert_allclose(still[..., upright], motion[..., upright], atol=1e-6)  # hopping stays in the pose


def test_what_was_taken_off_can_be_put_back():
    motion = walking(limbs=0.2)
    root = root_motion_of(motion, "Z")
    np.testing.assert_allclose(carried(in_place(motion, root), root), motion, atol=1e-5)


def test_quaternions_say_the_same_as_matrices_and_do_not_leap():
    root = root_motion_of(walking(), "Z")
    w, _, _, z = root.rotations().T
    matrices = root.matrices()
    np.testing.assert_allclose(1 - 2 * z * z, matrices[:, 0, 0], atol=1e-12)
    np.testing.assert_allclose(2 * w * z, matrices[:, 1, 0], atol=1e-12)
    assert (np.sum(root.rotations()[1:] * root.rotations()[:-1], axis=1) > 0.9).all()


def test_a_walk_loops_in_place_and_its_root_goes_on_where_the_next_round_begins():
    motion = walking(frames=37, limbs=0.2)
    motion[:, :, 2] -= np.abs(np.sin(np.arange(37)))[:, None].astype(np.float32)  # hops with another period
    edited = edit_motion(motion, 24.0, "Z", MotionEdits.of({"loop": True, "root_motion": "root", "resample": 48.0}))
    assert edited.report["loop"]["frames"] == 30
    assert edited.report["loop"]["step"] < 0.02
    assert len(edited.positions) == 60 and len(edited.root.turn) == 61
    assert edited.root.turn[-1] == pytest.approx(0.2 * 30, rel=0.02)
    np.testing.assert_allclose(edited.root.matrices()[0], np.eye(4), atol=1e-9)
    first = edited.source_frames[0]
    assert np.ptp(edited.positions.mean(axis=1)[:, :2], axis=0).max() < 0.05
    # Carried along its way from the first frame on, the loop's first round is the walk itself.
    start = root_motion_of(motion, "Z").matrices()[first]
    round_one = carried(
        edited.positions[::2],
        type(edited.root)(edited.root.travel[:-1:2], edited.root.turn[:-1:2], edited.root.middle, "Z"),
    )
    found = round_one @ start[:3, :3].T + start[:3, 3]
    np.testing.assert_allclose(found, motion[first : first + 30], atol=0.05)
