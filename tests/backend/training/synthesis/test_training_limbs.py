"""Limbs move as in another clip, and stay where they hang on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from motion324.training.shared.settings import SynthesisSettings, validation_settings  # noqa: E402
from motion324.training.synthesis import limb_motion  # noqa: E402
from motion324.training.synthesis.geometry import apply, compose, inverse  # noqa: E402
from motion324.training.synthesis.joint_motion import sample_joint_motion, sample_times  # noqa: E402
from motion324.training.synthesis.limb_motion import limb_carriers, with_other_limbs  # noqa: E402
from motion324.training.synthesis.rig_bank import Draws, RigBank  # noqa: E402
from motion324.training.synthesis.rigs import read_rigs  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_rigs(tmp_path_factory.mktemp("limbs") / "rigs", ["a__one", "b__two", "c__three"])
    return RigBank(read_rigs(folder), CPU)


def poses_of(bank, clip: int):
    """(3, 6, J, 3, 4): of a clip of each rig, at different times."""
    rows = torch.tensor([[[bank.clip_starts[rig][clip] + 2 * t + rig] * 2 for t in range(6)] for rig in range(3)])
    return bank.poses(rows, torch.zeros(3, 6))


def test_a_limb_hangs_on_the_joint_before_it_and_the_outermost_one_counts():
    chain = torch.tensor([[4, 0, 1, 2]] * 3)
    begins = torch.tensor([[0, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]).bool()
    assert limb_carriers(begins, chain).tolist() == [[4, 0, 0, 0], [4, 4, 4, 2], [4, 4, 4, 4]]
    long = torch.cat([torch.tensor([[16]]), torch.arange(15)[None]], dim=1)
    assert limb_carriers(torch.arange(16)[None] == 1, long).tolist() == [[16, *[0] * 15]]


def test_an_inverse_undoes_and_of_flat_maps_is_finite():
    torch.manual_seed(0)
    maps = torch.randn(20, 3, 4)
    undone = compose(inverse(maps), maps)
    assert torch.allclose(undone[..., :3], torch.eye(3).expand(20, 3, 3), atol=1e-3)
    assert undone[..., 3].abs().max() < 1e-3
    assert inverse(torch.zeros(1, 3, 4)).isfinite().all()


def test_limbs_move_as_in_the_other_clip_beside_what_they_hang_on(bank, monkeypatch):
    monkeypatch.setattr(limb_motion, "BEGINS", (1.0, 1.0))  # at every joint but the root
    models, own, other = bank.models([0, 1, 2]), poses_of(bank, 0), poses_of(bank, 1)
    chosen = torch.tensor([True, False, True])
    found = with_other_limbs(own, other, models, chosen, Draws(0, CPU))
    assert torch.equal(found[1], own[1])
    for clip in (0, 2):
        parents = models.parents[clip]
        children = [joint for joint in range(len(parents)) if parents[joint] < len(parents)]
        assert children
        for joint in children:
            parent = int(parents[joint])
            beside = compose(inverse(found[clip, :, parent]), found[clip, :, joint])
            expected = compose(inverse(other[clip, :, parent]), other[clip, :, joint])
            assert torch.allclose(beside, expected, atol=1e-4)
            pivot = models.pivots[clip, joint].expand(6, 3)
            places = [apply(found[clip, :, one], pivot) for one in (parent, joint)]
            assert torch.allclose(*places, atol=0.02)  # of the body's size: the limb has not come off
        assert not torch.allclose(found[clip], own[clip], atol=1e-2)
        root = next(
            joint for joint in range(len(parents)) if joint not in children and models.leaders[clip, joint] == joint
        )
        assert torch.equal(found[clip, :, root], own[clip, :, root])


def test_nothing_hangs_on_a_joint_that_is_flat_in_the_other_clip(bank, monkeypatch):
    monkeypatch.setattr(limb_motion, "BEGINS", (1.0, 1.0))
    models, own, other = bank.models([0, 1, 2]), poses_of(bank, 0), poses_of(bank, 1)
    other[..., 2] = 0
    assert torch.equal(with_other_limbs(own, other, models, torch.ones(3).bool(), Draws(0, CPU)), own)


def test_clips_get_them_by_their_share_and_those_that_are_measured_on_none(bank):
    settings = replace(validation_settings(SynthesisSettings(frames=6)), speed=(2.0, 2.0))
    assert settings.limb_share == 0

    def drawn(share: float):
        draws, chosen, some = Draws(5, CPU), [0, 1, 2, 0], replace(settings, limb_share=share)
        times = sample_times(4, some, draws)
        return sample_joint_motion(bank, chosen, bank.models(chosen), times, some, draws, np.random.default_rng(0))[1]

    assert torch.equal(drawn(0.0), drawn(0.0))
    assert not torch.allclose(drawn(0.0), drawn(1.0), atol=1e-2)
