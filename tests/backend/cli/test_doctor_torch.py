"""`motion324 doctor` where PyTorch is installed."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed here")

from motion324.cli.commands.doctor import Verdict, examine
from motion324.cli.main import main


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
