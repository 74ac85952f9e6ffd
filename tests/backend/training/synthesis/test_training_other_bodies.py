"""Bodies of other proportions hang together as before, and motions are carried over joint by joint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from motion324.training.shared.settings import SynthesisSettings, validation_settings  # noqa: E402
from motion324.training.synthesis.creatures.creature import make_creature  # noqa: E402
from motion324.training.synthesis.filming import posed_vertices  # noqa: E402
from motion324.training.synthesis.geometry import apply  # noqa: E402
from motion324.training.synthesis.joint_motion import sample_joint_motion, sample_times  # noqa: E402
from motion324.training.synthesis.other_bodies import (  # noqa: E402
    bodies_to_take_from,
    local_motion,
    moved_again,
    with_other_bodies,
)
from motion324.training.synthesis.rig_bank import Draws, RigBank  # noqa: E402
from motion324.training.synthesis.rigs import read_rigs  # noqa: E402

CPU = torch.device("cpu")
NO, YES = torch.zeros(4).bool(), torch.ones(4).bool()
CHOSEN = [0, 1, 2, 3]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_rigs(tmp_path_factory.mktemp("bodies") / "rigs", ["a__one", "b__two", "c__three"])
    return RigBank([*read_rigs(folder), make_creature("quadruped", 1, 3)], CPU)


def poses_of(bank, clip: int):
    """(4, 6, J, 3, 4)"""
    rows = torch.tensor([[[bank.clip_starts[rig][clip] + 3 * t] * 2 for t in range(6)] for rig in CHOSEN])
    return bank.poses(rows, torch.zeros(4, 6))


def given(bank, clip: int = 1):
    which = torch.tensor(CHOSEN)
    return bank.rest.of(which), bank.parents(which), poses_of(bank, clip)


def test_what_joints_do_beside_their_parents_done_again_is_the_same_motion(bank):
    rest, parents, poses = given(bank, 0)
    assert rest.solid.all()
    again = moved_again(local_motion(rest, parents, poses), rest.pivots, parents)
    models = bank.models(CHOSEN)
    leaders = again.gather(2, models.leaders[:, None, :, None, None].expand_as(again))
    found = posed_vertices(replace(models, vertices=models.rest), leaders)
    assert torch.allclose(found, posed_vertices(models, poses), atol=0.02)  # skinned at rest, not where it was bound
    stiff = models.vertex_clip < 3  # whose vertices have one joint each
    assert torch.allclose(found[stiff], posed_vertices(models, poses)[stiff], atol=1e-4)


def test_clips_that_are_not_chosen_stay_as_they_are(bank):
    rest, _, poses = given(bank, 0)
    models, found, changed = with_other_bodies(rest, bank.models(CHOSEN), poses, NO, NO, given(bank), Draws(0, CPU))
    assert not changed.any() and torch.equal(found, poses)
    assert torch.equal(models.vertices, bank.models(CHOSEN).vertices)


def test_other_proportions_change_lengths_and_keep_joints_together(bank):
    rest, _, poses = given(bank, 0)
    models, found, changed = with_other_bodies(rest, bank.models(CHOSEN), poses, YES, NO, given(bank), Draws(1, CPU))
    assert changed.all()
    assert not torch.allclose(models.pivots[3], rest.pivots[3], atol=0.02)
    for clip in range(4):
        for joint in torch.nonzero(rest.active[clip] & (models.parents[clip] < bank.joints)).flatten().tolist():
            parent = int(models.parents[clip, joint])
            pivot = models.pivots[clip, joint].expand(6, 3)
            places = [apply(found[clip, :, one], pivot) for one in (parent, joint)]
            before = rest.pivots[clip, joint].expand(6, 3)
            apart = local_motion(rest, bank.parents(torch.tensor(CHOSEN)), poses).shifts[clip, :, joint].norm(dim=-1)
            assert ((places[0] - places[1]).norm(dim=-1) < apart + 1e-3).all(), before


def test_a_body_carries_over_another_ones_motion_at_joints_in_the_same_places(bank):
    rest, parents, own = given(bank, 0)
    _, found, changed = with_other_bodies(rest, bank.models(CHOSEN), own, NO, YES, given(bank), Draws(2, CPU))
    assert changed.all()
    told = local_motion(rest, parents, poses_of(bank, 1))
    expected = moved_again(told, rest.pivots, parents)
    active = rest.active[:, None, :, None, None]
    assert torch.allclose(found[..., :3] * active, expected[..., :3] * active, atol=1e-4)
    assert torch.allclose(found * active, expected * active, atol=0.02)  # joints stay together, if they did not there
    assert not torch.allclose(found * active, own * active, atol=0.1)


def test_bodies_are_taken_from_the_batch_and_the_likest_first(bank):
    chosen = [3, 3, 3, 3, 0]
    assert set(bodies_to_take_from(bank, chosen, np.random.default_rng(0))[:4]) == {3}


def test_shares_say_how_many_clips_and_those_that_are_measured_on_get_none(bank):
    settings = validation_settings(SynthesisSettings(frames=6, proportions_share=1.0, carried_share=1.0))
    assert settings.proportions_share == settings.carried_share == 0

    def pivots(**shares: float):
        draws, some = Draws(5, CPU), replace(settings, speed=(2.0, 2.0), **shares)
        times = sample_times(4, some, draws)
        models = bank.models(CHOSEN)
        return sample_joint_motion(bank, CHOSEN, models, times, some, draws, np.random.default_rng(0))[0].pivots

    assert torch.equal(pivots(), bank.models(CHOSEN).pivots)
    assert not torch.allclose(pivots(proportions_share=1.0), bank.models(CHOSEN).pivots, atol=1e-2)
