"""The predictor: batches, memory, progress, cancelling, devices and precisions, on a small random model."""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the motion transformer needs PyTorch, which is not installed here")

from small_transformer import random_shape, random_video, relative_error  # noqa: E402

from motion324.core.errors import Cancelled, Motion324Error  # noqa: E402
from motion324.reconstructors.motion_transformer import fused, long_stages  # noqa: E402
from motion324.reconstructors.motion_transformer import predictor as module  # noqa: E402
from motion324.reconstructors.motion_transformer.config import ImageEncoderConfig, ModelConfig  # noqa: E402
from motion324.reconstructors.motion_transformer.model import Points  # noqa: E402
from motion324.reconstructors.motion_transformer.options import InferenceOptions  # noqa: E402
from motion324.reconstructors.motion_transformer.predictor import MotionPredictor, ShapePoints  # noqa: E402
from motion324.training.transformer.preparation import random_model  # noqa: E402

SMALL = ModelConfig(
    width=96,
    head_width=32,
    mlp_width=384,
    latent_tokens=16,
    surface_layers=1,
    layer_pairs=2,
    image=ImageEncoderConfig(width=96, depth=1, heads=3, mlp_width=384),
)


def video(frames: int, seed: int = 0) -> np.ndarray:
    return random_video(frames, 40, 56, seed)


def small_predictor(seed: int = 0, **options) -> MotionPredictor:
    return MotionPredictor(random_model(SMALL, seed), InferenceOptions(device="cpu", **options))


def plainly(surface: ShapePoints, points: ShapePoints, frames: np.ndarray, trained_frames: int = 256) -> np.ndarray:
    """The same prediction by the model's differentiable form, all at once."""
    tensors = [Points(*(torch.from_numpy(x) for x in (s.positions, s.normals, s.colours))) for s in (surface, points)]
    return random_model(SMALL, 0)(*tensors, torch.from_numpy(frames), trained_frames).detach().numpy()


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_batches_change_nothing(frames, monkeypatch):
    surface, points, clip = random_shape(200, 1), random_shape(333, 2), video(frames)
    monkeypatch.setitem(long_stages.ROWS_AT_ONCE, "cpu", 500)
    moved = small_predictor().predict(surface, points, clip)
    assert moved.shape == (frames, 333, 3)
    assert relative_error(moved, plainly(surface, points, clip)) < 1e-5


def test_small_pieces_change_nothing(monkeypatch):
    surface, points, clip = random_shape(200, 1), random_shape(300, 2), video(3)
    monkeypatch.setattr("motion324.reconstructors.motion_transformer.execution.piece_rate", lambda device: 1e8)
    assert relative_error(small_predictor().predict(surface, points, clip), plainly(surface, points, clip)) < 1e-5


def test_points_that_do_not_fit_the_memory_are_embedded_anew(monkeypatch):
    surface, points, clip = random_shape(100, 1), random_shape(300, 2), video(3)
    monkeypatch.setattr(long_stages, "MOST_FEATURE_BYTES_ON_CPU", 0)
    monkeypatch.setattr(long_stages, "FEATURE_SHARE", 0.0)
    assert relative_error(small_predictor().predict(surface, points, clip), plainly(surface, points, clip)) < 1e-5
    monkeypatch.setattr(module, "free_bytes", lambda device: 10**12)
    assert relative_error(small_predictor().predict(surface, points, clip), plainly(surface, points, clip)) < 1e-5


def test_the_same_input_gives_the_same_bits():
    surface, points, clip = random_shape(200, 1), random_shape(100, 2), video(4)
    first, second = (small_predictor().predict(surface, points, clip) for _ in range(2))
    assert np.array_equal(first, second)


def test_frames_of_one_pixel_and_in_floats():
    surface, points = random_shape(100, 1), random_shape(20, 2)
    clip = np.random.default_rng(0).integers(0, 256, (2, 1, 1, 3), dtype=np.uint8)
    predictor = small_predictor()
    whole, floats = (predictor.predict(surface, points, frames) for frames in (clip, clip.astype(np.float32) / 255))
    assert np.isfinite(whole).all()
    assert relative_error(floats, whole) < 1e-5


def test_frames_that_may_not_be_written_to():
    surface, points, clip = random_shape(100, 1), random_shape(20, 2), video(3)
    clip.setflags(write=False)
    assert np.isfinite(small_predictor().predict(surface, points, clip)).all()


def test_positions_leave_while_later_frames_are_decoded(monkeypatch):
    monkeypatch.setattr(long_stages, "MOST_DECODED_AT_ONCE", 2)
    batches = list(small_predictor().stream(random_shape(100, 1), random_shape(50, 2), video(5)))
    assert [indices.tolist() for indices, _ in batches] == [[0, 1], [2, 3], [4]]
    assert all(moved.shape == (len(indices), 50, 3) for indices, moved in batches)


def test_a_long_video_runs_in_windows_and_every_frame_comes_once():
    for windows in ("blend", "published"):
        predictor = small_predictor(window=6, trained_frames=6, windows=windows)
        indices = np.concatenate(
            [batch for batch, _ in predictor.stream(random_shape(100, 1), random_shape(50, 2), video(15))]
        )
        assert sorted(indices.tolist()) == list(range(15))


def test_the_published_join_returns_the_reference_points_first():
    points = random_shape(50, 2)
    moved = small_predictor(window=6, trained_frames=6, windows="published").predict(
        random_shape(100, 1), points, video(15)
    )
    assert np.array_equal(moved[0], points.positions)


def test_progress_rises_and_is_reported_often(monkeypatch):
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    calls = []
    small_predictor().predict(random_shape(200, 1), random_shape(500, 2), video(6), lambda *call: calls.append(call))
    assert {stage for stage, _, _ in calls} == {"reconstruct"}
    done = [done for _, done, _ in calls]
    assert done == sorted(done)
    assert all(total == 6 for _, _, total in calls)
    assert done[-1] == 6


def test_cancelling_stops_at_once():
    predictor = small_predictor()
    start = time.monotonic()
    cancelled_at = None

    def stop_soon(stage, done, total):
        nonlocal cancelled_at
        if time.monotonic() - start > 0.3:
            cancelled_at = time.monotonic()
            raise Cancelled

    with pytest.raises(Cancelled):
        predictor.predict(random_shape(2000, 1), random_shape(50_000, 2), video(64), stop_soon)
    assert cancelled_at is not None
    assert time.monotonic() - cancelled_at < 0.5
    assert np.isfinite(predictor.predict(random_shape(100, 1), random_shape(20, 2), video(2))).all()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_cancelled_work_leaves_nothing_behind(monkeypatch, share):
    """Though the caller keeps the exception, no large array of the job is alive any more."""
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    predictor, job = small_predictor(), (random_shape(200, 1), random_shape(3000, 2), video(8))
    calls = []
    predictor.predict(*job, lambda *call: calls.append(call))
    stop_after, calls = len(calls) * share, []

    def stop(*call):
        calls.append(call)
        if len(calls) > stop_after:
            raise Cancelled

    gc.collect()
    gc.disable()
    try:
        with pytest.raises(Cancelled):
            predictor.predict(*job, stop)
        alive = [x for x in gc.get_objects() if type(x) is long_stages.PointDecoder]
    finally:
        gc.enable()
    assert not alive


def test_too_little_memory_is_answered_with_smaller_pieces(monkeypatch, caplog):
    surface, points, clip = random_shape(200, 1), random_shape(3000, 2), video(3)
    real = fused.linear_gelu

    def at_most(x, weight, bias=None):
        if len(x) > 600:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(x, weight, bias)

    monkeypatch.setattr(fused, "linear_gelu", at_most)
    moved = small_predictor().predict(surface, points, clip)
    monkeypatch.undo()
    assert relative_error(moved, plainly(surface, points, clip)) < 1e-5
    assert "Out of memory in" in caplog.text


def test_memory_that_suffices_for_nothing_is_a_clear_error(monkeypatch):
    def full(x, weight, bias=None):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(fused, "linear_gelu", full)
    with pytest.raises(Motion324Error) as failed:
        small_predictor().predict(random_shape(200, 1), random_shape(100, 2), video(3))
    assert failed.value.code == "out-of-memory"
    assert "GB" in failed.value.sentence
    assert "--window" in failed.value.hint


def test_a_device_that_is_too_full_is_told_before_any_work(monkeypatch):
    monkeypatch.setattr(module, "free_bytes", lambda device: 1000)
    with pytest.raises(Motion324Error, match="before any work"):
        small_predictor().predict(random_shape(200, 1), random_shape(100, 2), video(3))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda p: p._replace(positions=p.positions[:0], normals=p.normals[:0], colours=p.colours[:0]), "points-empty"),
        (lambda p: p._replace(positions=p.positions * np.float32(np.nan)), "points-not-finite"),
        (lambda p: p._replace(colours=p.colours[:3]), "points-shape"),
        (lambda p: p._replace(normals=p.normals[:, :2]), "points-shape"),
    ],
)
def test_points_that_cannot_be_used_are_refused(change, code):
    from collections import namedtuple

    arrays = namedtuple("arrays", "positions normals colours")
    good = random_shape(20, 1)
    bad = ShapePoints(*change(arrays(good.positions, good.normals, good.colours)))
    for pair in ((bad, good), (good, bad)):
        with pytest.raises(Motion324Error) as refused:
            small_predictor().predict(*pair, video(2))
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), "frames-shape"),
        (np.zeros((2, 8, 8, 4), np.uint8), "frames-shape"),
        (np.zeros((2, 8, 8, 3), np.int64), "frames-type"),
        (np.full((2, 8, 8, 3), np.nan, np.float32), "frames-not-finite"),
    ],
)
def test_frames_that_cannot_be_used_are_refused(frames, code):
    with pytest.raises(Motion324Error) as refused:
        small_predictor().predict(random_shape(20, 1), random_shape(20, 2), frames)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"device": "gpu"}, "bad-option"),
        ({"precision": "int8"}, "bad-option"),
        ({"device": "cpu", "precision": "float16"}, "bad-option"),
        ({"attention": "fastest"}, "bad-option"),
        ({"window": 1}, "bad-option"),
        ({"window": 300}, "bad-option"),
        ({"windows": "sharp"}, "bad-option"),
        ({"device": "cuda:99"}, "device-unavailable"),
        ({"device": "cpu", "attention": "flash-attn"}, "attention-unavailable"),
    ],
)
def test_options_that_cannot_be_met_are_refused(options, code):
    with pytest.raises(Motion324Error) as refused:
        MotionPredictor(random_model(SMALL, 0), InferenceOptions(**options))
    assert refused.value.code == code


def test_bfloat16_on_the_cpu_stays_close_to_float32():
    surface, points, clip = random_shape(200, 1), random_shape(100, 2), video(3)
    exact = small_predictor().predict(surface, points, clip)
    assert relative_error(small_predictor(precision="bfloat16").predict(surface, points, clip), exact) < 0.02


def test_seconds_are_told_per_stage():
    predictor = small_predictor()
    predictor.predict(random_shape(100, 1), random_shape(20, 2), video(2))
    assert set(predictor.seconds) == {"surface", "points", "images", "transformer", "decoder"}
    assert all(seconds > 0 for seconds in predictor.seconds.values())
