"""Which reconstructor a job gets, what is said where it cannot be had, and how long it stays."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import RECONSTRUCTORS, AnimateOptions
from motion324.core.progress import silent
from motion324.reconstructors import registry
from motion324.reconstructors.motion_transformer import options as transformer_options
from motion324.reconstructors.node_model import reconstructor as node_model

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="the motion transformer needs PyTorch, which is not installed here",
)


def wish(**options):
    return AnimateOptions(**{"reconstructor": "motion-transformer", "device": "cpu", **options})


@pytest.fixture(autouse=True)
def nothing_loaded():
    registry.unload_reconstructors()
    yield
    registry.unload_reconstructors()


@pytest.fixture
def weights(tmp_path):
    from small_transformer import write_small_weights

    return write_small_weights(tmp_path / "small.safetensors")


def load(reconstructor):
    reconstructor._predictor(silent)


def refused(options):
    with pytest.raises(Motion324Error) as caught:
        registry.get_reconstructor(options, silent)
    return caught.value


@pytest.mark.parametrize(
    ("name", "found"),
    [("auto", "node-model+fit"), ("node-model", "node-model"), ("deformation-fit", "deformation-fit")],
)
def test_what_comes_along_needs_no_weights_and_keeps_nothing(name, found):
    assert registry.get_reconstructor(AnimateOptions(reconstructor=name), silent).name == found
    assert registry.loaded_reconstructors() == {}


@pytest.mark.parametrize("name", ["node-model", "node-model+fit"])
def test_the_compact_model_can_be_loaded_beforehand(monkeypatch, name):
    begun = []
    monkeypatch.setattr(node_model, "open_beforehand", lambda path, device: begun.append((path, device)))
    registry.get_reconstructor(AnimateOptions(reconstructor=name, device="cpu"), silent).load_beforehand()
    assert begun == [(node_model.BUNDLED, "cpu")]


def test_a_draft_asks_the_compact_model_only_once():
    assert {
        quality: registry.get_reconstructor(AnimateOptions(quality=quality), silent).asks_twice
        for quality in ("draft", "standard", "fine")
    } == {"draft": False, "standard": True, "fine": True}


def test_an_unknown_name_is_refused_with_the_known_ones():
    error = refused(AnimateOptions(reconstructor="magic"))
    assert (error.code, error.exit_code) == ("bad-option", EXIT_USAGE)
    assert all(name in error.sentence for name in RECONSTRUCTORS)


def test_without_torch_one_sentence_says_so_with_the_remedy(monkeypatch):
    monkeypatch.setattr(transformer_options, "is_torch_installed", lambda: False)
    error = refused(wish())
    assert error.code == "torch-missing"
    assert "extra" in error.hint


def test_the_base_loads_no_torch():
    """Not even where it is installed: neither the commands, nor a job of the default reconstructor."""
    code = (
        "import sys\n"
        "import motion324.cli.main, motion324.pipeline.animate, motion324.server.server, motion324.server.job_queue\n"
        "from motion324.core.options.animate_options import AnimateOptions\n"
        "from motion324.reconstructors.registry import get_reconstructor, loaded_reconstructors\n"
        "get_reconstructor(AnimateOptions(), lambda stage, done, total: None)\n"
        "print(loaded_reconstructors(), sorted({'torch', 'triton', 'huggingface_hub'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{} []"


@needs_torch
def test_without_weights_one_sentence_says_so_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path))
    error = refused(wish())
    assert error.code == "weights-missing"
    assert "motion324 weights download" in error.hint


@needs_torch
def test_weights_that_are_not_where_they_should_be(tmp_path):
    error = refused(wish(weights=str(tmp_path / "none.safetensors")))
    assert error.code == "checkpoint-missing"
    assert "none.safetensors" in error.sentence
    assert "motion324 weights download" in error.hint


@needs_torch
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"device": "cuda:98"}, "device-unavailable"),
        ({"precision": "float16"}, "bad-option"),
        ({"attention": "flash-attn-3"}, "attention-unavailable"),
    ],
)
def test_what_this_machine_cannot_do_is_refused_before_anything_is_loaded(weights, options, code):
    assert refused(wish(weights=str(weights), **options)).code == code
    assert registry.loaded_reconstructors() == {}


@needs_torch
def test_the_model_serves_all_jobs_with_the_same_options(weights):
    first = registry.get_reconstructor(wish(weights=str(weights)), silent)
    assert registry.loaded_reconstructors() == {}
    load(first)
    assert registry.loaded_reconstructors() == {"motion-transformer": "cpu"}
    again = registry.get_reconstructor(wish(weights=str(weights), smooth=2.0, seed=3, frames=(1, None, 2)), silent)
    assert again is first


@needs_torch
@pytest.mark.parametrize(
    "change", [{"precision": "bfloat16"}, {"attention": "math"}, {"window": 8}, {"windows": "published"}]
)
def test_other_options_load_it_anew_and_free_the_old_one(weights, change):
    first = registry.get_reconstructor(wish(weights=str(weights)), silent)
    load(first)
    second = registry.get_reconstructor(wish(weights=str(weights), **change), silent)
    assert second is not first
    assert first.place == ""
    load(second)
    assert registry.loaded_reconstructors() == {"motion-transformer": "cpu"}


@needs_torch
def test_weights_that_were_replaced_are_read_again(weights):
    from small_transformer import write_small_weights

    first = registry.get_reconstructor(wish(weights=str(weights)), silent)
    write_small_weights(weights, seed=1)
    assert registry.get_reconstructor(wish(weights=str(weights)), silent) is not first


@needs_torch
def test_it_may_be_kept_on_the_cpu_or_unloaded(weights):
    import gc

    from motion324.reconstructors.motion_transformer.model import MotionModel

    load(registry.get_reconstructor(wish(weights=str(weights)), silent))
    registry.unload_reconstructors(keep_on_cpu=True)
    assert registry.loaded_reconstructors() == {"motion-transformer": "cpu"}
    registry.unload_reconstructors()
    assert registry.loaded_reconstructors() == {}
    gc.collect()
    assert not any(type(thing) is MotionModel for thing in gc.get_objects())


@needs_torch
def test_a_gpu_that_is_too_full_is_told_before_any_work(weights, monkeypatch):
    from motion324.reconstructors.motion_transformer import device

    reconstructor = registry.get_reconstructor(wish(weights=str(weights), window=64), silent)
    monkeypatch.setattr(device, "free_bytes", lambda device: 310_000_000)
    reconstructor.check_job(frames=2, vertices=100)
    with pytest.raises(Motion324Error) as caught:
        reconstructor.check_job(frames=300, vertices=100)
    assert caught.value.code == "out-of-memory"
    assert "0.3 GB are free" in caught.value.sentence
    assert "before any work" in caught.value.sentence
    assert "--window" in caught.value.hint
