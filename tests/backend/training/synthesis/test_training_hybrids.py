"""Bodies of two hang together, and their limbs have the other one's faces and motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from motion324.training.synthesis.creatures.creature import make_creature
from motion324.training.synthesis.hybrids import falls_apart, make_hybrids
from motion324.training.synthesis.rigs import skinned


@pytest.fixture(scope="module")
def rigs():
    return [make_creature(plan, number, 7) for plan in ("quadruped", "octopus", "biped") for number in (0, 1)]


@pytest.fixture(scope="module")
def hybrids(rigs):
    return make_hybrids(rigs, [1 / len(rigs)] * len(rigs), 12, 5)


def test_as_many_are_made_as_asked_for_and_the_same_for_the_same_seed(rigs, hybrids):
    assert [rig.name for rig in hybrids] == [f"hybrid__{number:03d}" for number in range(12)]
    again = make_hybrids(rigs, [1 / len(rigs)] * len(rigs), 12, 5)
    assert all(np.array_equal(a.vertices, b.vertices) for a, b in zip(hybrids, again, strict=True))
    assert make_hybrids([], [], 3, 5) == []


def test_they_are_whole_rigs(hybrids):
    for rig in hybrids:
        count = rig.clips[0].shape[1]
        assert rig.faces.max() < len(rig.vertices) == len(rig.joints) == len(rig.weights) == len(rig.colours)
        assert rig.joints.max() < count == len(rig.skeleton.parents) == len(rig.skeleton.pivots)
        assert np.allclose(rig.weights.sum(axis=1), 1, atol=1e-4)
        assert np.allclose(skinned(rig.vertices, rig.joints, rig.weights, rig.clips[0][0]), rig.rest, atol=1e-4)
        assert np.ptp(rig.rest, axis=0).max() == pytest.approx(1, abs=1e-5)
        assert (rig.skeleton.parents[np.unique(rig.joints)] == count).sum() == 1
        assert all(np.isfinite(clip).all() for clip in rig.clips)


def test_limbs_hang_on_the_body_in_every_pose(hybrids):
    for rig in hybrids:
        pivots = np.c_[rig.skeleton.pivots, np.ones(len(rig.skeleton.pivots))]
        for joint in np.unique(rig.joints):
            parent = rig.skeleton.parents[joint]
            if parent < len(pivots):
                own, held = (rig.clips[0][:, one] @ pivots[joint] for one in (joint, parent))
                assert np.allclose(own, held, atol=1e-3)


def test_they_are_of_two_bodies(rigs, hybrids):
    sizes = {rig.clips[0].shape[1] for rig in rigs}
    assert all(rig.clips[0].shape[1] > min(sizes) for rig in hybrids)
    palettes = [np.unique(rig.colours.round(5), axis=0) for rig in rigs]
    for rig in hybrids:
        own = {tuple(colour) for colour in rig.colours.round(5)}
        assert sum(bool(own & {tuple(colour) for colour in palette}) for palette in palettes) >= 2


def test_bodies_that_fall_apart_in_some_pose_are_none(rigs, hybrids):
    rng = np.random.default_rng(0)
    assert not any(falls_apart(rig, rng) for rig in hybrids)
    whole = rigs[0]
    assert not falls_apart(whole, rng)
    holds = int(np.bincount(whole.joints[:, 0][whole.weights[:, 0] > 0.9]).argmax())
    clip = whole.clips[0].copy()
    clip[len(clip) // 2 :, holds, :, 3] += 2
    assert falls_apart(replace(whole, clips=(clip,)), rng)
