"""`motion324 doctor` where PyTorch is installed."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed here")

from motion324.cli.commands import doctor
from motion324.cli.commands.doctor import Verdict, examine
from motion324.cli.main import main
from motion324.reconstructors import gpu_choice


def finding(subject):
    return next(f for f in examine() if f.subject == subject)


def test_this_installation_works(capsys):
    assert main(["doctor"]) == 0
    assert "Everything that is needed works." in capsys.readouterr().out


def test_with_torch_it_names_device_kernels_and_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path))
    assert "math" in finding("attention").text
    assert finding("torch's device").verdict is Verdict.FINE
    weights = finding("weights")
    assert weights.verdict is Verdict.WARNING
    assert "motion324 weights download" in weights.remedy
    (tmp_path / "motion-3-to-4.safetensors").write_bytes(b"0" * 100)
    assert finding("weights").verdict is Verdict.FINE


def test_an_xformers_that_does_not_fit_this_pytorch_is_told(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: object() if name == "xformers" else None)
    assert doctor._unused_xformers(["cudnn", "xformers"]) == []
    told = doctor._unused_xformers(["cudnn", "flash"])
    assert [f.verdict for f in told] == [Verdict.WARNING] and "one PyTorch" in told[0].remedy
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    assert doctor._unused_xformers(["cudnn"]) == []


def test_where_the_compact_model_and_the_fit_compute_is_told(monkeypatch):
    assert finding("compact model").text.endswith("on cpu; the fit on cpu")
    monkeypatch.setattr(gpu_choice, "torch_gpu", lambda device: "cuda:0")
    assert finding("compact model").text.endswith("the fit on cuda, PyTorch")
