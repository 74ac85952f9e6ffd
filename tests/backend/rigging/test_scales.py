"""Bones that grow and shrink, where that is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from backend_rigs import armature, bending, cloud, swing, trajectory, tube

from motion324.core.options.rig_settings import RigSettings
from motion324.rigging.made_rig import make_rig
from motion324.rigging.own_rig import fit_armature


@pytest.mark.parametrize("handed_on", [(), (2, 4), (1, 2, 3, 4, 5, 6)])
@pytest.mark.parametrize("turning", [(), (4,)])
def test_a_truth_whose_bones_scale_is_recovered(handed_on, turning):
    """handed_on: the bones that do not take over their parents' scale; turning: nor their rotation."""
    at = np.arange(7)
    rig = armature(inherits_scale=~np.isin(at, handed_on), inherits_rotation=~np.isin(at, turning))
    skin, poses = cloud(rig), swing(rig, frames=16, grow=0.2)
    motion = fit_armature(rig, skin, trajectory(rig, skin, poses), scale=True)
    assert motion.mean.mean() < 1e-4 and motion.largest.max() < 2e-3
    assert motion.scaled.all() and motion.report["bones_with_scale"] == 7
    np.testing.assert_allclose(motion.scale, np.repeat(poses.growth[..., None], 3, axis=2), rtol=0.03)


def test_nothing_scales_unless_asked():
    rig = armature()
    skin = cloud(rig)
    motion = fit_armature(rig, skin, trajectory(rig, skin, swing(rig, grow=0.2)))
    assert not motion.scaled.any() and (motion.scale == 1).all() and motion.mean.mean() > 1e-3


def test_bones_that_need_no_scale_get_none():
    rig = armature(scale=np.full((7, 3), 1.3))
    skin = cloud(rig)
    motion = fit_armature(rig, skin, trajectory(rig, skin, swing(rig)), scale=True)
    assert not motion.scaled.any() and (motion.scale == 1.3).all() and motion.mean.mean() < 1e-5


def test_limits_of_scale_hold():
    low, high = np.full(7, 0.0), np.full(7, np.inf)
    low[1], high[1] = 0.9, 1.05
    low[3] = high[3] = 1.0  # locked
    rig = armature(scale_low=low, scale_high=high)
    skin, poses = cloud(rig), swing(rig, frames=16, grow=0.3)
    assert poses.growth[:, 1].min() < 0.9 and poses.growth[:, 1].max() > 1.05
    motion = fit_armature(rig, skin, trajectory(rig, skin, poses), scale=True)
    assert not motion.scaled[3] and (motion.scale[:, 3] == 1).all()
    assert motion.scale[:, 1].min() >= 0.9 and motion.scale[:, 1].max() <= 1.05
    assert np.ptp(motion.scale[:, 2, 0]) > 0.05


def test_scales_follow_smoothly_through_noise_and_do_not_lag():
    rig = armature()
    skin, poses = cloud(rig), swing(rig, frames=40, grow=0.15)
    clean = trajectory(rig, skin, poses)
    noisy = clean + np.random.default_rng(0).normal(0, 0.003, clean.shape).astype(np.float32)
    found = np.log(fit_armature(rig, skin, noisy, scale=True).scale[..., 0])
    truth = np.log(poses.growth)
    off = found - truth
    assert np.sqrt(np.square(off).mean()) < 0.01
    shifted = [np.square(found[2:-2] - truth[2 + lag : len(truth) - 2 + lag]).sum() for lag in (-1, 0, 1)]
    assert np.argmin(shifted) == 1


def test_a_made_rig_never_scales():
    positions, faces = tube()
    rigged = make_rig(bending(positions, frames=6), faces, RigSettings(bones=3, scale=True))
    assert not rigged.motion.scaled.any() and (rigged.motion.scale == 1).all()
