"""The full-size model with random weights on a GPU: precision, memory, cancelling. Skips without a CUDA GPU."""

from __future__ import annotations

import copy
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the motion transformer needs PyTorch, which is not installed here")

if not torch.cuda.is_available():
    pytest.skip("these tests need a CUDA GPU", allow_module_level=True)

from small_transformer import random_shape, random_video, relative_error  # noqa: E402

from motion324.core.errors import Cancelled, Motion324Error  # noqa: E402
from motion324.reconstructors.motion_transformer.checkpoint import write_checkpoint  # noqa: E402
from motion324.reconstructors.motion_transformer.config import ModelConfig  # noqa: E402
from motion324.reconstructors.motion_transformer.options import InferenceOptions  # noqa: E402
from motion324.reconstructors.motion_transformer.predictor import MotionPredictor  # noqa: E402
from motion324.training.transformer.preparation import random_model  # noqa: E402

GIGABYTE = 1e9


def video(frames: int, seed: int = 0) -> np.ndarray:
    return random_video(frames, 256, 256, seed)


@pytest.fixture(scope="module")
def random_weights():
    return random_model(ModelConfig(), 0)


def predictor_of(weights, **options) -> MotionPredictor:
    return MotionPredictor(copy.deepcopy(weights), InferenceOptions(device="cuda", **options))


@pytest.fixture
def limited():
    """Lets this process have so many bytes of the GPU and no more."""

    def limit(size: float) -> None:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(size / torch.cuda.get_device_properties(0).total_memory)

    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_the_default_precision_differs_from_float32_by_less_than_two_percent(random_weights):
    surface, points, clip = random_shape(16384, 1), random_shape(1500, 2), video(12)
    exact = predictor_of(random_weights, precision="float32").predict(surface, points, clip)
    assert relative_error(predictor_of(random_weights).predict(surface, points, clip), exact) < 0.02
    assert (
        relative_error(predictor_of(random_weights, precision="float16").predict(surface, points, clip), exact) < 0.02
    )


def test_float32_on_the_gpu_agrees_with_the_cpu(random_weights):
    surface, points, clip = random_shape(2000, 1), random_shape(300, 2), video(3)
    gpu = predictor_of(random_weights, precision="float32").predict(surface, points, clip)
    cpu = MotionPredictor(copy.deepcopy(random_weights), InferenceOptions(device="cpu")).predict(surface, points, clip)
    assert relative_error(gpu, cpu) < 1e-4


def test_the_same_input_gives_the_same_bits(random_weights):
    surface, points, clip = random_shape(16384, 1), random_shape(5000, 2), video(40)
    predictor = predictor_of(random_weights)
    assert np.array_equal(predictor.predict(surface, points, clip), predictor.predict(surface, points, clip))


@pytest.mark.parametrize("attention", ["cudnn", "flash", "efficient", "math"])
def test_forced_kernels_agree(random_weights, attention):
    surface, points, clip = random_shape(4000, 1), random_shape(700, 2), video(6)
    exact = predictor_of(random_weights, precision="float32").predict(surface, points, clip)
    forced = predictor_of(random_weights, attention=attention).predict(surface, points, clip)
    assert relative_error(forced, exact) < 0.02


def test_a_hundred_frames_of_twenty_thousand_points_need_less_than_six_gigabytes(random_weights, limited):
    predictor = predictor_of(random_weights)
    limited(5.5 * GIGABYTE)
    assert np.isfinite(predictor.predict(random_shape(16384, 1), random_shape(20_000, 2), video(100))).all()


def test_a_full_gpu_is_answered_with_smaller_batches(random_weights, limited, monkeypatch, caplog):
    surface, points, clip = random_shape(16384, 1), random_shape(60_000, 2), video(16)
    predictor = predictor_of(random_weights)
    free = predictor.predict(surface, points, clip)
    limited(torch.cuda.memory_allocated() + 0.7 * GIGABYTE)
    tight = predictor.predict(surface, points, clip)
    assert "Out of memory in" in caplog.text
    assert relative_error(tight, free) < 0.01


def test_a_gpu_that_is_too_full_is_told_with_what_was_needed(random_weights, limited):
    predictor = predictor_of(random_weights)
    limited(torch.cuda.memory_allocated() + 0.25 * GIGABYTE)
    before = torch.cuda.memory_allocated()
    with pytest.raises(Motion324Error) as failed:
        predictor.predict(random_shape(16384, 1), random_shape(20_000, 2), video(200))
    assert failed.value.code == "out-of-memory"
    assert "GB" in failed.value.sentence
    assert torch.cuda.memory_allocated() < before + 0.1 * GIGABYTE


@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6])
def test_cancelling_takes_effect_at_once_and_frees_the_memory(random_weights, after):
    predictor = predictor_of(random_weights)
    predictor.predict(random_shape(1000, 1), random_shape(1000, 2), video(4))
    before = torch.cuda.memory_reserved()
    start = time.monotonic()
    asked = None

    def stop(stage, done, total):
        nonlocal asked
        if time.monotonic() - start >= after:
            asked = time.monotonic()
            raise Cancelled

    with pytest.raises(Cancelled):
        predictor.predict(random_shape(16384, 1), random_shape(200_000, 2), video(256), stop)
    torch.cuda.synchronize()
    assert time.monotonic() - asked < 0.5
    assert time.monotonic() - start < after + 0.75
    assert torch.cuda.memory_reserved() < before + 0.2 * GIGABYTE


def test_full_size_weights_load_within_two_seconds_and_warm_up_within_twenty(random_weights, tmp_path):
    path = tmp_path / "full.safetensors"
    write_checkpoint(random_weights.state_dict(), random_weights.config, path, {})
    torch.zeros(1, device="cuda")
    predictor = MotionPredictor.load(path, InferenceOptions(device="cuda"))
    assert predictor.seconds["load"] < 2.0
    assert predictor.seconds["warm-up"] < 20.0
    predictor.to_cpu()
    assert torch.cuda.memory_allocated() < 0.1 * GIGABYTE
    assert np.isfinite(predictor.predict(random_shape(1000, 1), random_shape(100, 2), video(3))).all()
