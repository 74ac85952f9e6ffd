"""Whole jobs by the motion transformer, with a small random model: results, report, streaming, refusals, cancelling."""

from __future__ import annotations

import dataclasses
import gc
import json
import logging
import time

import numpy as np
import pytest

pytest.importorskip("torch", reason="the motion transformer needs PyTorch, which is not installed here")

from fake_reconstructor import fake_find_view
from small_transformer import write_small_weights

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.pipeline import animate as pipeline
from motion324.pipeline.animate import animate
from motion324.reconstructors import registry
from motion324.reconstructors.motion_transformer import long_stages
from motion324.reconstructors.motion_transformer.model import MotionModel


@pytest.fixture(autouse=True)
def nothing_loaded():
    registry.unload_reconstructors()
    yield
    registry.unload_reconstructors()


@pytest.fixture(autouse=True)
def quick_view(monkeypatch):
    monkeypatch.setattr(pipeline, "find_view", fake_find_view())


@pytest.fixture
def options(tmp_path):
    weights = write_small_weights(tmp_path / "small.safetensors")
    return AnimateOptions(reconstructor="motion-transformer", device="cpu", weights=str(weights), smooth=0)


def stages_of(calls):
    return list(dict.fromkeys(stage for stage, _, _ in calls))


def test_a_mesh_without_colours_moves_and_starts_as_it_was(options, box, sliding_square, caplog):
    with caplog.at_level(logging.INFO):
        result = animate(box, sliding_square, options)
    assert result.positions.shape == (12, 8, 3)
    assert np.isfinite(result.positions).all()
    np.testing.assert_array_equal(result.positions[0], box.positions)
    assert np.abs(result.positions[1:] - box.positions).max() > 0
    assert any("Attention (" in record.getMessage() for record in caplog.records)
    report = json.loads(json.dumps(result.report))
    assert report["reconstructor"] == "motion-transformer"
    how = report["reconstruction"]
    assert (how["device"], how["precision"], how["weights"]) == ("cpu", "float32", "small.safetensors")
    assert "flash" in how["attention"]["short"]
    assert {"load", "surface", "images", "transformer", "decoder"} <= set(how["seconds"])
    assert report["seconds"]["load"] > 0
    assert "torch" in report["versions"]


def test_the_second_job_finds_the_model_loaded(options, box, sliding_square):
    first = animate(box, sliding_square, options)
    calls = []
    second = animate(box, sliding_square, options, progress=lambda *call: calls.append(call))
    assert "load" not in stages_of(calls)
    np.testing.assert_array_equal(first.positions, second.positions)


def test_the_model_sees_the_mesh_as_it_stands_with_y_up(options, box, sliding_square):
    """Whichever axis the file has up: nothing else turns the mesh, and the view does not."""
    x, y, z = box.positions.T
    lying = dataclasses.replace(box, positions=np.ascontiguousarray(np.stack([x, -z, y], axis=1)), up="Z")
    standing = animate(box, sliding_square, options).positions
    x, y, z = np.moveaxis(animate(lying, sliding_square, options).positions, -1, 0)
    np.testing.assert_allclose(np.stack([x, z, -y], axis=-1), standing, atol=1e-4)


def test_frames_arrive_in_batches_while_later_ones_are_decoded(options, box, sliding_square, monkeypatch):
    monkeypatch.setattr(long_stages, "MOST_DECODED_AT_ONCE", 5)
    events = []
    result = animate(
        box,
        sliding_square,
        options,
        progress=lambda stage, done, total: events.append(stage),
        on_frames=lambda batch: events.append((batch.indices.tolist(), batch.final, batch.positions)),
    )
    batches = [event for event in events if isinstance(event, tuple)]
    assert [(indices, final) for indices, final, _ in batches] == [
        ([0, 1, 2, 3, 4], True),
        ([5, 6, 7, 8, 9], True),
        ([10, 11], True),
    ]
    np.testing.assert_array_equal(np.concatenate([positions for _, _, positions in batches]), result.positions)
    assert events.index("smooth") > max(k for k, event in enumerate(events) if isinstance(event, tuple))


def test_a_video_longer_than_the_window_runs_in_several(options, box, sliding_square):
    for windows in ("blend", "published"):
        result = animate(box, sliding_square, dataclasses.replace(options, window=5, windows=windows))
        assert np.isfinite(result.positions).all()
        np.testing.assert_array_equal(result.positions[0], box.positions)


def with_nan(box):
    positions = box.positions.copy()
    positions[3, 1] = np.nan
    return dataclasses.replace(box, positions=positions)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (with_nan, "mesh-not-finite"),
        (lambda box: dataclasses.replace(box, positions=box.positions[:0]), "mesh-empty"),
        (lambda box: dataclasses.replace(box, faces=box.faces[:0], face_material=box.face_material[:0]), "mesh-empty"),
        (lambda box: dataclasses.replace(box, positions=box.positions * np.float32([1, 0, 0])), "mesh-zero-area"),
        (lambda box: dataclasses.replace(box, positions=box.positions * 0), "mesh-zero-extent"),
    ],
)
def test_meshes_that_cannot_be_used_are_refused_before_any_work(options, box, sliding_square, spoil, code):
    calls = []
    with pytest.raises(Motion324Error) as refused:
        animate(spoil(box), sliding_square, options, progress=lambda *call: calls.append(call))
    assert refused.value.code == code
    assert calls == []
    assert registry.loaded_reconstructors() == {}


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (lambda frames: frames[:1], "video-one-frame"),
        (lambda frames: frames[:, :1, :1], "no-foreground"),
        (lambda frames: frames * 0, "no-foreground"),
    ],
)
def test_videos_that_cannot_be_used_are_refused_before_the_model_is_loaded(options, box, sliding_square, frames, code):
    chosen = frames(sliding_square.frames)
    clip = dataclasses.replace(sliding_square, frames=chosen, frame_numbers=np.arange(len(chosen)))
    with pytest.raises(Motion324Error) as refused:
        animate(box, clip, dataclasses.replace(options, mask="plain"))
    assert refused.value.code == code
    assert registry.loaded_reconstructors() == {}


def test_weights_of_another_architecture_are_refused_before_the_video_is_read(options, box, tmp_path):
    from safetensors.numpy import save_file

    save_file({"layers.0.weight": np.zeros((4, 4), np.float32)}, tmp_path / "other.safetensors")
    options = dataclasses.replace(options, weights=str(tmp_path / "other.safetensors"))
    calls = []
    with pytest.raises(Motion324Error) as refused:
        animate(box, tmp_path / "no such video.mp4", options, progress=lambda *call: calls.append(call))
    assert refused.value.code == "checkpoint-foreign"
    assert "other.safetensors" in refused.value.sentence
    assert set(stages_of(calls)) <= {"load"}


def models_in_memory():
    gc.collect()
    return sum(type(thing) in (MotionModel, long_stages.PointDecoder) for thing in gc.get_objects())


@pytest.mark.parametrize("stage", ["load", "foreground", "sample", "view", "reconstruct", "smooth"])
def test_cancelling_in_any_stage_takes_effect_at_once_and_frees_the_memory(options, box, sliding_square, stage):
    asked = None

    def stop(at, done, total):
        nonlocal asked
        if at == stage:
            asked = time.monotonic()
            raise Cancelled

    with pytest.raises(Cancelled):
        animate(box, sliding_square, options, progress=stop)
    assert asked is not None
    assert time.monotonic() - asked < 5
    registry.unload_reconstructors()
    deadline = time.monotonic() + 10  # what a thread was loading when it was given up goes when it has ended
    while models_in_memory() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not models_in_memory()
    assert np.isfinite(animate(box, sliding_square, options).positions).all()
