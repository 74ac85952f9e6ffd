"""Procedural creatures are whole rigs: closed, weighted, moving, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from motion324.training.synthesis.creatures.creature import PLANS, make_creature, make_creatures
from motion324.training.synthesis.rigs import skinned


@pytest.mark.parametrize("plan", sorted(PLANS))
def test_every_plan_makes_closed_outward_surfaces_that_move(plan):
    for number in range(3):
        rig = make_creature(plan, number, seed=1)
        parts = trimesh.Trimesh(rig.vertices, rig.faces, process=False).split(only_watertight=False)
        assert len(parts) > 1
        assert all(part.is_watertight and part.volume > 0 for part in parts)
        assert np.allclose(rig.weights.sum(axis=1), 1, atol=1e-5)
        assert np.ptp(rig.rest, axis=0).max() == pytest.approx(1, abs=1e-5)
        posed = [skinned(rig.vertices, rig.joints, rig.weights, rig.clips[0][t]) for t in (0, 12, 30)]
        assert np.allclose(posed[0], rig.rest, atol=1e-4)
        assert max(np.abs(other - posed[0]).max() for other in posed[1:]) > 0.01


def test_bones_stay_joined_to_their_parents():
    rig = make_creature("quadruped", 0, seed=3)
    pivots = np.c_[rig.skeleton.pivots, np.ones(len(rig.skeleton.pivots))]
    for clip in rig.clips:
        for joint, parent in enumerate(rig.skeleton.parents):
            if parent < len(pivots):
                own = clip[:, joint] @ pivots[joint]
                held = clip[:, parent] @ pivots[joint]
                assert np.allclose(own, held, atol=1e-5)


def test_the_same_seed_makes_the_same_creatures_and_another_seed_others():
    first, again, other = (make_creatures(1, seed) for seed in (4, 4, 5))
    assert [rig.name for rig in first] == [rig.name for rig in other]
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.vertices, two.vertices) and np.array_equal(one.clips[2], two.clips[2])
    assert any(a.vertices.shape != b.vertices.shape for a, b in zip(first, other, strict=True))
