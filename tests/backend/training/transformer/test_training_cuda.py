"""Training on a GPU: half precision learns the same, and a run that was interrupted equals one that was not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_training import TINY, log_lines, tiny_config, write_training_release
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")
if not torch.cuda.is_available():
    pytest.skip("needs a CUDA GPU", allow_module_level=True)

from safetensors.torch import load_file  # noqa: E402

from motion324.training.shared.config import SyntheticConfig  # noqa: E402
from motion324.training.transformer import checkpoints  # noqa: E402
from motion324.training.transformer.training_run import run_training  # noqa: E402


@pytest.fixture
def config(tmp_path):
    write_training_release(tmp_path / "release")
    found = tiny_config(tmp_path / "release", tmp_path / "out", precision="bfloat16", batch_per_gpu=0, count=6)
    found = replace(found, device="cuda", transformer=replace(TINY, width=48, head_width=16))
    image = replace(found.transformer.image, width=48)
    return replace(found, transformer=replace(found.transformer, image=image))


def losses(out):
    return [line["loss"] for line in log_lines(out, "train")]


def test_half_precision_on_a_gpu_learns_what_the_cpu_learns(config, tmp_path):
    assert run_training(config)
    exact = replace(config, out=str(tmp_path / "cpu"), device="cpu", steps=replace(config.steps, precision="float32"))
    assert run_training(exact)
    assert losses(tmp_path / "out") == pytest.approx(losses(tmp_path / "cpu"), rel=0.03)


@pytest.mark.parametrize("kind", ["release", "synthetic"])
def test_a_deterministic_run_that_was_interrupted_equals_one_that_was_not(kind, config, tmp_path):
    rigs = write_rigs(tmp_path / "rigs", ["a__one", "b__two"])
    config = replace(
        config,
        data=replace(config.data, kind=kind),
        synthetic=SyntheticConfig(rigs=str(rigs), chunk=2, oversampling=1),
        steps=replace(config.steps, deterministic=True),
        checkpoints=replace(config.checkpoints, every=3),
    )
    try:
        assert run_training(config)
        target = checkpoints.folder_of(tmp_path / "parts", 3)
        target.parent.mkdir(parents=True)
        checkpoints.folder_of(tmp_path / "out", 3).rename(target)
        assert run_training(replace(config, out=str(tmp_path / "parts")))
    finally:
        torch.use_deterministic_algorithms(False)
    for file in (checkpoints.MODEL, checkpoints.OPTIMISER):
        expected, found = (load_file(checkpoints.folder_of(tmp_path / name, 6) / file) for name in ("out", "parts"))
        assert all(torch.equal(value, found[name]) for name, value in expected.items()), file


def test_compiled_blocks_and_recomputed_activations_learn_the_same(config, tmp_path):
    assert run_training(config)
    other = replace(config.steps, compiled=True, recompute=True)
    assert run_training(replace(config, out=str(tmp_path / "other"), steps=other))
    assert losses(tmp_path / "other") == pytest.approx(losses(tmp_path / "out"), rel=0.03)
