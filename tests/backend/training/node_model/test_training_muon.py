"""Muon's steps are orthogonal, of the size that the rate says, and lead downhill."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from motion324.training.node_model.optimiser import LIKE_ADAM, Muon, orthogonal  # noqa: E402
from motion324.training.shared.gpu_work import Replayed  # noqa: E402


@pytest.mark.parametrize("shape", [(2, 16, 16), (3, 8, 40), (1, 40, 8)])
def test_matrices_become_nearly_orthogonal(shape):
    torch.manual_seed(0)
    found = torch.linalg.svdvals(orthogonal(torch.randn(shape)).float())
    assert found.min() > 0.4 and found.max() < 1.4


def test_a_step_has_the_size_that_the_rate_says():
    torch.manual_seed(0)
    matrix = torch.nn.Parameter(torch.randn(32, 64))
    before = matrix.detach().clone()
    matrix.grad = torch.randn(32, 64) * 1e-3  # whose size does not count
    Muon([matrix], momentum=0.9, weight_decay=0.0).step(torch.tensor(0.01))
    size = (matrix.detach() - before).square().mean().sqrt()
    assert size == pytest.approx(0.01 * LIKE_ADAM, rel=0.35)


def test_it_minimises_a_sum_of_squares():
    torch.manual_seed(0)
    layers = [torch.nn.Parameter(torch.randn(8, 8) * 0.1) for _ in range(3)]
    wanted = [torch.randn(8, 8) for _ in range(3)]
    muon = Muon(layers, momentum=0.9, weight_decay=0.0)
    history = []
    for step in range(300):
        loss = sum(((layer - target) ** 2).sum() for layer, target in zip(layers, wanted, strict=True))
        for layer in layers:
            layer.grad = None
        loss.backward()
        muon.step(torch.tensor(0.15 * (1 - step / 300)))
        history.append(loss.item())
    assert history[-1] < 0.01 * history[0]


def test_work_on_a_cpu_is_done_anew_for_every_input():
    double = Replayed(lambda value: 2 * value, torch.zeros(3), torch.device("cpu"))
    for number in range(6):
        assert torch.equal(double(torch.full((3,), float(number))), torch.full((3,), 2.0 * number))
    assert not double.is_recorded
