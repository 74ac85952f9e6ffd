"""The foreground network by PyTorch finds what onnxruntime finds, and is used where PyTorch has a GPU."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the network runs by PyTorch on GPUs, and PyTorch is not installed here")

import torch

from motion324.core.progress import silent
from motion324.video.foreground import saliency, saliency_by_torch


@pytest.fixture
def anew():
    saliency.load_network.cache_clear()
    yield
    saliency.load_network.cache_clear()


def pictures() -> np.ndarray:
    frames = np.full((3, 120, 160, 3), 200, np.uint8)
    frames[..., 0] = np.linspace(60, 180, 160, dtype=np.uint8)
    for t in range(3):
        frames[t, 30:90, 20 + 20 * t : 70 + 20 * t] = (20, 140, 40)
    return frames


def test_pytorch_and_onnxruntime_find_the_same(anew, monkeypatch):
    expected = saliency.salient_masks(pictures(), silent)
    run, batches = saliency_by_torch.runner(saliency.MODEL_FILE.read_bytes(), torch.device("cpu")), []

    def counted(given: np.ndarray) -> np.ndarray:
        batches.append(len(given))
        return run(given)

    monkeypatch.setattr(saliency, "torch_may_find_a_gpu", lambda: True)
    monkeypatch.setattr(saliency_by_torch, "run_on_gpu", lambda data: counted)
    monkeypatch.setattr(saliency, "AT_ONCE", 2)
    saliency.load_network.cache_clear()
    told: list[int] = []
    found = saliency.salient_masks(pictures(), lambda stage, done, total: told.append(done))
    assert saliency.load_network().place == "cuda, PyTorch"
    assert sorted(batches) == [1, 2] and told[0] == 0 and told[-1] == 3
    assert expected.max() > 0.5
    assert np.abs(found - expected).max() < 1e-3


def test_a_gpu_that_pytorch_cannot_use_leaves_the_network_to_the_cpu(anew, monkeypatch, caplog):
    monkeypatch.setattr(saliency, "torch_may_find_a_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert saliency.load_network().on_cpu
    assert "the CPU does" in caplog.text


def test_a_network_of_other_sizes_is_refused():
    with pytest.raises(ValueError, match="other convolutions"):
        saliency_by_torch.runner(b"", torch.device("cpu"))
