"""The motion transformer as people reach it: through the command line, and through the backend process of Blender."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pytest

pytest.importorskip("torch", reason="the motion transformer needs PyTorch, which is not installed here")

from fake_reconstructor import fake_find_view
from small_transformer import write_small_weights

from motion324.cli.main import main
from motion324.client import Client, start_server
from motion324.core.files.trajectory_file import load_trajectory
from motion324.core.options.animate_options import AnimateOptions
from motion324.mesh.files.reading import read_mesh
from motion324.pipeline import animate as pipeline
from motion324.wire.protocol import AnimateRequest, FramesEvent, ProgressEvent, ResultEvent


@pytest.fixture
def files(files):
    """A folder with box.obj, slide/ (a folder of images) and small.safetensors."""
    write_small_weights(files / "small.safetensors")
    return files


def animate(files, *more):
    arguments = ["--reconstructor", "motion-transformer", "--device", "cpu", "--mask", "plain", *more]
    return main(["animate", str(files / "box.obj"), str(files / "slide"), "-o", str(files / "out"), *arguments])


def test_the_command_leaves_a_result_and_tells_how_it_was_made(files, box, monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "find_view", fake_find_view())
    weights = str(files / "small.safetensors")
    more = ["--precision", "float32", "--attention", "math", "--window", "6", "--windows", "published"]
    assert animate(files, "--weights", weights, *more) == 0
    assert "by motion-transformer on cpu in float32" in capsys.readouterr().out
    trajectory = load_trajectory(files / "out" / "trajectory.npz")
    assert np.isfinite(trajectory.positions).all()
    np.testing.assert_array_equal(trajectory.positions[0], box.positions)
    report = json.loads((files / "out" / "report.json").read_text("utf-8"))
    assert {name for names in report["reconstruction"]["attention"].values() for name in names} == {"math"}
    chosen = {name: report["options"][name] for name in ("device", "precision", "attention", "window", "windows")}
    assert chosen == {
        "device": "cpu",
        "precision": "float32",
        "attention": "math",
        "window": 6,
        "windows": "published",
    }
    assert report["options"]["weights"] == weights


@pytest.mark.parametrize(
    ("more", "exit_code", "words"),
    [
        (["--window", "1"], 2, "window is 1"),
        (["--precision", "float16", "--weights", "small.safetensors"], 2, "--precision float32"),
        (["--attention", "flash-attn", "--weights", "small.safetensors"], 2, "--attention auto"),
        (["--device", "cuda:97", "--weights", "small.safetensors"], 7, "--device cpu"),
        (["--weights", "lost.safetensors"], 2, "motion324 weights download"),
        (["--weights", "box.obj"], 2, "box.obj cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_with_a_remedy(files, monkeypatch, capsys, more, exit_code, words):
    monkeypatch.chdir(files)
    assert animate(files, *more) == exit_code
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert words in error
    assert not (files / "out").exists()


def test_help_groups_the_models_own_options(capsys):
    with pytest.raises(SystemExit):
        main(["animate", "--help"])
    _, group = capsys.readouterr().out.split("motion-transformer:\n")
    for name in ("--precision", "--attention", "--window", "--windows"):
        assert name in group


@pytest.mark.long
def test_blenders_backend_streams_keeps_the_model_and_gives_it_up_when_told(files, box):
    log = files / "backend.log"
    options = AnimateOptions(
        reconstructor="motion-transformer",
        device="cpu",
        mask="plain",
        view="front",
        weights=str(files / "small.safetensors"),
    )
    request = AnimateRequest.of(read_mesh(files / "box.obj"), files / "slide", options)
    server = start_server(sys.executable, log_path=log)
    try:
        with Client.connect(server.endpoint) as client:
            events = list(client.animate(request))
            stages = {event.stage for event in events if isinstance(event, ProgressEvent)}
            assert {"load", "reconstruct"} <= stages
            frames = np.concatenate([event.indices for event in events if isinstance(event, FramesEvent)])
            assert sorted(frames.tolist()) == list(range(12))
            assert isinstance(events[-1], ResultEvent)
            np.testing.assert_array_equal(events[-1].result.positions[0], box.positions)
            while client.status().running:  # the result comes a moment before the job counts as ended
                time.sleep(0.02)
            client.unload(keep_on_cpu=True)
            status = client.status()
            assert status.reconstructors == ("motion-transformer",)
            assert status.details["places"] == {"motion-transformer": "cpu"}
            client.unload()
            assert client.status().reconstructors == ()
    finally:
        server.stop()
    assert "Attention (short) on cpu in float32: flash" in log.read_text("utf-8")
