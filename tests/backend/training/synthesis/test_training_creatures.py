"""Procedural creatures are whole rigs: closed, weighted, moving, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from motion324.training.synthesis.creatures.body import Body, Style
from motion324.training.synthesis.creatures.creature import PLANS, make_creature, make_creatures
from motion324.training.synthesis.creatures.flesh import flesh, surface_net
from motion324.training.synthesis.rigs import skinned


@pytest.mark.parametrize("plan", sorted(PLANS))
def test_every_plan_makes_closed_outward_surfaces_that_move(plan):
    for number in range(3):
        rig = make_creature(plan, number, seed=1)
        parts = trimesh.Trimesh(rig.vertices, rig.faces, process=False).split(only_watertight=False)
        assert all(part.volume > 0 for part in parts)
        edges = np.sort(rig.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        assert not (np.unique(edges, axis=0, return_counts=True)[1] % 2).any()  # closed; one skin may touch itself
        assert np.allclose(rig.weights.sum(axis=1), 1, atol=1e-5)
        assert np.ptp(rig.rest, axis=0).max() == pytest.approx(1, abs=1e-5)
        posed = [skinned(rig.vertices, rig.joints, rig.weights, rig.clips[0][t]) for t in (0, 12, 30)]
        assert np.allclose(posed[0], rig.rest, atol=1e-4)
        assert max(np.abs(other - posed[0]).max() for other in posed[1:]) > 0.01


@pytest.mark.parametrize("plan", sorted(PLANS))
def test_every_vertex_has_as_many_joints_also_where_a_body_has_fewer_bones(plan):
    for number in range(12):
        rig = make_creature(plan, number, seed=12)
        assert rig.joints.shape == rig.weights.shape == (len(rig.vertices), 4)
        assert rig.joints.max() < rig.clips[0].shape[1]


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


def test_a_net_of_surfaces_closes_around_what_is_inside_and_faces_outwards():
    places = np.stack(np.meshgrid(*[np.arange(24.0)] * 3, indexing="ij"), axis=-1)
    vertices, faces = surface_net(np.linalg.norm(places - [11.3, 12.1, 11.7], axis=-1) - 8)
    ball = trimesh.Trimesh(vertices, faces, process=False)
    assert ball.is_watertight
    assert ball.volume == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.03)
    assert np.abs(np.linalg.norm(vertices - [11.3, 12.1, 11.7], axis=1) - 8).max() < 0.3


def test_flesh_is_one_skin_whose_weights_go_over_from_bone_to_bone():
    rng = np.random.default_rng(0)
    body = Body()
    body.grow(-1, np.zeros(3), np.array([[0, 0, 0.5], [0, 0, 0.5]]), [0.1, 0.1, 0.1], "spine")
    body.grow(1, np.array([0, 0, 0.7]), np.array([[0, -0.5, 0]]), [0.06, 0.06], "leg")
    surface = flesh(body, body.chains, Style(8, 3, 2.0, 0.3, np.full((4, 3), 0.5), True), rng)
    skin = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert skin.is_watertight and skin.volume > 0 and len(skin.split()) == 1
    assert np.allclose(surface.weights.sum(axis=1), 1)
    middle = np.abs(surface.vertices[:, 2] - 0.5) < 0.03
    assert (surface.weights[middle].max(axis=1) < 0.9).any()
    assert surface.weights[surface.vertices[:, 2] < 0.1, 0].min() > 0.9
