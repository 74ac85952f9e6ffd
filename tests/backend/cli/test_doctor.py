"""`motion324 doctor`: what is fine, and what it advises where something is not."""

from __future__ import annotations

import json

import pytest

from motion324.cli.commands import doctor
from motion324.cli.commands.doctor import Verdict, examine
from motion324.cli.main import main
from motion324.core.errors import Motion324Error


def finding(subject):
    return next(f for f in examine() if f.subject == subject)


def test_this_installation_works(capsys):
    assert main(["doctor"]) == 0
    assert "Everything that is needed works." in capsys.readouterr().out


def test_programs_get_json(capsys):
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    subjects = [found["subject"] for found in report["findings"]]
    assert {
        "motion324",
        "numpy",
        "device",
        "memory",
        "foreground model",
        "compact model",
        "Blender",
        "temporary files",
    } <= set(subjects)


def test_what_the_compact_model_computes_on_is_told(monkeypatch):
    from motion324.reconstructors.node_model import opening

    monkeypatch.setattr(opening, "accelerator", lambda: "cuda, PyTorch")
    assert ", bundled, on cuda, PyTorch; the fit on " in doctor._compact_model().text

    def broken(*_: object) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(opening, "opened_model", broken)
    assert doctor._compact_model().verdict is Verdict.PROBLEM and "no disk" in doctor._compact_model().text


def test_what_the_foreground_model_computes_on_is_told(monkeypatch, tmp_path):
    from motion324.video.foreground import saliency

    monkeypatch.setattr(saliency, "load_network", lambda: saliency.Network(lambda pictures: pictures, "cuda, PyTorch"))
    assert doctor._foreground_model().text.endswith("bundled, on cuda, PyTorch")
    monkeypatch.undo()
    saliency.load_network.cache_clear()
    monkeypatch.setattr(saliency, "MODEL_FILE", tmp_path / "lost.onnx")
    assert doctor._foreground_model().verdict is Verdict.PROBLEM and "lost.onnx" in doctor._foreground_model().text


def test_a_library_that_cannot_be_loaded_is_a_problem_with_a_remedy(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "LIBRARIES", {"a_library_that_is_not_there": "its-name"})
    found = finding("its-name")
    assert found.verdict is Verdict.PROBLEM
    assert "pip install" in found.remedy
    assert main(["doctor"]) == 1
    assert "problem: cannot be loaded" in capsys.readouterr().out


def test_a_base_installation_is_whole_without_torch(monkeypatch):
    monkeypatch.setattr(doctor, "is_torch_installed", lambda: False)
    (found,) = doctor.transformer_findings()
    assert (found.subject, found.verdict) == ("torch", Verdict.FINE)
    assert "motion-transformer" in found.text


def test_a_torch_that_cannot_be_loaded_is_told_with_a_remedy(monkeypatch):
    def broken():
        raise Motion324Error(
            "torch-broken", "PyTorch is installed but cannot be loaded: libcudart.", "Install it anew."
        )

    monkeypatch.setattr(doctor, "is_torch_installed", lambda: True)
    monkeypatch.setattr(doctor, "import_torch", broken)
    (found,) = doctor.transformer_findings()
    assert found.verdict is Verdict.WARNING
    assert "libcudart" in found.text
    assert found.remedy == "Install it anew."


def test_a_missing_blender_is_a_warning_that_says_what_needs_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MOTION324_BLENDER", raising=False)
    monkeypatch.setattr("motion324.blender.blender_reading.find_blender", lambda preferred: None)
    found = finding("Blender")
    assert found.verdict is Verdict.WARNING
    assert ".fbx" in found.remedy


def test_a_folder_that_cannot_be_written_to_is_a_problem(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(doctor, "default_log_path", lambda: tmp_path / "file" / "log")
    assert finding("log").verdict is Verdict.PROBLEM


@pytest.mark.parametrize(("total", "verdict"), [(1 << 30, Verdict.WARNING), (8 << 30, Verdict.FINE), (0, Verdict.FINE)])
def test_little_memory_is_a_warning(monkeypatch, total, verdict):
    monkeypatch.setattr(doctor, "total_memory", lambda: total)
    assert finding("memory").verdict is verdict
