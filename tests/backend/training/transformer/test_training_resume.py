"""What a training run survives: being stopped, going on elsewhere, broken samples, numbers that are not finite."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest
from small_training import log_lines, tiny_config, train_in_processes, write_training_release

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from safetensors.torch import load_file  # noqa: E402

from motion324.core.errors import EXIT_STOPPED, EXIT_USAGE, Motion324Error  # noqa: E402
from motion324.reconstructors.motion_transformer.checkpoint import write_checkpoint  # noqa: E402
from motion324.training.shared import processes  # noqa: E402
from motion324.training.shared.config_keys import as_toml  # noqa: E402
from motion324.training.transformer import checkpoints, training_run  # noqa: E402
from motion324.training.transformer.batched_transformer import BatchedTransformer  # noqa: E402
from motion324.training.transformer.preparation import random_model  # noqa: E402
from motion324.training.transformer.training_run import export, run_training  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def release(tmp_path):
    write_training_release(tmp_path / "release")
    return tmp_path / "release"


def tensors(out, step, file=checkpoints.MODEL):
    return load_file(checkpoints.folder_of(out, step) / file)


def largest_difference(first, second):
    assert first.keys() == second.keys()
    return max((value.double() - second[name].double()).abs().max().item() for name, value in first.items())


def test_a_run_that_was_interrupted_equals_one_that_was_not_bit_for_bit(release, tmp_path):
    whole = tiny_config(release, tmp_path / "whole", count=6)
    whole = replace(whole, checkpoints=replace(whole.checkpoints, every=3))
    assert run_training(whole)
    interrupted = replace(whole, out=str(tmp_path / "parts"))
    (tmp_path / "parts").mkdir()
    first = checkpoints.folder_of(tmp_path / "whole", 3)
    target = checkpoints.folder_of(tmp_path / "parts", 3)
    target.parent.mkdir()
    first.rename(target)
    torch.manual_seed(99)
    assert run_training(interrupted)
    for file in (checkpoints.MODEL, checkpoints.OPTIMISER, checkpoints.RANDOM):
        expected, found = (tensors(tmp_path / name, 6, file) for name in ("whole", "parts"))
        assert expected.keys() == found.keys()
        assert all(torch.equal(value, found[name]) for name, value in expected.items()), file
    losses = [[line["loss"] for line in log_lines(tmp_path / name, "train")] for name in ("whole", "parts")]
    assert losses[0][3:] == losses[1]


@pytest.mark.parametrize("way", ["ddp", pytest.param("fsdp", marks=pytest.mark.long)])
def test_two_processes_give_the_gradients_of_one(way, release, tmp_path):
    one = tiny_config(release, tmp_path / "one", count=1, batch=4, batch_per_gpu=2)
    two = replace(one, out=str(tmp_path / "two"), steps=replace(one.steps, batch_per_gpu=1, parallel=way))
    assert run_training(one)
    train_in_processes(two, tmp_path, 2)
    expected, found = (tensors(tmp_path / name, 1, checkpoints.OPTIMISER) for name in ("one", "two"))
    averages = {name: value for name, value in expected.items() if name.startswith("exp_avg/")}
    assert sum(value.abs().sum().item() for value in averages.values()) > 0.1
    assert largest_difference(averages, {name: found[name] for name in averages}) < 1e-7
    assert largest_difference(tensors(tmp_path / "one", 1), tensors(tmp_path / "two", 1)) < 1e-5


@pytest.mark.long
def test_a_model_in_parts_goes_on_from_its_checkpoint_as_a_whole_one(release, tmp_path):
    config = tiny_config(release, tmp_path / "one", count=1, batch=4, batch_per_gpu=2)
    assert run_training(config)
    target = checkpoints.folder_of(tmp_path / "two", 1)
    target.parent.mkdir(parents=True)
    shutil.copytree(checkpoints.folder_of(tmp_path / "one", 1), target)
    longer = replace(config.steps, count=2)
    assert run_training(replace(config, steps=longer))
    train_in_processes(replace(config, out=str(tmp_path / "two"), steps=replace(longer, parallel="fsdp")), tmp_path, 2)
    for file in (checkpoints.MODEL, checkpoints.OPTIMISER):
        assert largest_difference(*(tensors(tmp_path / name, 2, file) for name in ("one", "two"))) < 1e-5


@pytest.mark.long
def test_a_run_goes_on_with_another_number_of_processes(release, tmp_path):
    whole = tiny_config(release, tmp_path / "whole", count=4, batch_per_gpu=0)
    assert run_training(whole)
    parts = replace(whole, out=str(tmp_path / "parts"))
    train_in_processes(replace(parts, steps=replace(parts.steps, count=2)), tmp_path, 2)
    # The schedule was that of a run of 2 steps; its weights are set to those after 2 of 4 steps of one process.
    reference = replace(whole, out=str(tmp_path / "two"), steps=replace(whole.steps, count=2))
    assert run_training(reference)
    assert largest_difference(tensors(tmp_path / "two", 2), tensors(tmp_path / "parts", 2)) < 1e-5
    assert run_training(parts)
    again = replace(whole, out=str(tmp_path / "two"))
    assert run_training(again)
    assert largest_difference(tensors(tmp_path / "two", 4), tensors(tmp_path / "parts", 4)) < 1e-4
    losses = [[line["loss"] for line in log_lines(tmp_path / name, "train")] for name in ("two", "parts")]
    assert np.allclose(losses[0], losses[1], rtol=1e-4)


def test_sigterm_to_all_processes_of_a_run_saves_and_ends_it_with_a_code_of_its_own(release, tmp_path):
    config = tiny_config(release, tmp_path / "out", count=100_000, batch=2)
    config = replace(config, release=replace(config.release, workers=1))
    path = tmp_path / "config.toml"
    path.write_text(as_toml(config))
    command = [sys.executable, "-m", "motion324", "train", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        log = tmp_path / "out" / "log.jsonl"
        deadline = time.monotonic() + 120
        while not (log.is_file() and '"train"' in log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=60) == EXIT_STOPPED
    finally:
        process.kill()
        process.wait()
    step = log_lines(tmp_path / "out", "train")[-1]["step"]
    state, told = checkpoints.read_state(checkpoints.newest(tmp_path / "out"))
    assert state.step == step
    assert told["steps"]["count"] == 100_000
    assert log_lines(tmp_path / "out", "stopped")[0]["signal"] == "SIGTERM"


def test_losses_that_are_not_finite_stop_the_run_and_leave_the_batch(release, tmp_path):
    config = tiny_config(release, tmp_path / "out", count=20, nan_limit=3)
    model = random_model(config.transformer, 0)
    with torch.no_grad():
        model.learnable_tokens[0, 0, 0] = float("nan")
    write_checkpoint(model.state_dict(), model.config, tmp_path / "nan.safetensors", {})
    with pytest.raises(Motion324Error, match="stops at step 3") as stopped:
        run_training(replace(config, init=str(tmp_path / "nan.safetensors")))
    assert stopped.value.code == "training-nan"
    saved = load_file(tmp_path / "out" / "not_finite_step_3_process_0.safetensors")
    assert saved["0.video"].shape == (2, 3, 32, 32, 3)
    assert saved["1.targets"].shape == (2, 3, 30, 3)
    assert [line["skipped"] for line in log_lines(tmp_path / "out", "train")] == [1, 2]


def test_broken_samples_are_counted_over_interruptions_and_stop_the_run_at_a_limit(release, tmp_path):
    (release / "pcds" / "box2_pointclouds" / "faces.npy").write_bytes(b"")
    config = tiny_config(release, tmp_path / "out", count=2)
    assert run_training(config)
    first, _ = checkpoints.read_state(checkpoints.newest(tmp_path / "out"))
    assert first.broken >= 2
    assert all("box2: " in line["sample"] for line in log_lines(tmp_path / "out", "broken"))
    longer = replace(config, steps=replace(config.steps, count=4), data=replace(config.data, most_broken=first.broken))
    with pytest.raises(Motion324Error, match=r"data\.most_broken=.*box2: ") as stopped:
        run_training(longer)
    assert stopped.value.code == "samples-broken"


@pytest.mark.long
def test_broken_samples_of_every_process_are_named(release, tmp_path):
    """The second process draws the broken clip."""
    (release / "pcds" / "box3_pointclouds" / "faces.npy").write_bytes(b"")
    config = tiny_config(release, tmp_path / "out", count=4, batch=2, batch_per_gpu=1)
    config = replace(config, validation=replace(config.validation, every=2, samples=4))
    train_in_processes(config, tmp_path, 2)
    named = [line["sample"] for line in log_lines(tmp_path / "out", "broken")]
    assert len(named) == log_lines(tmp_path / "out", "train")[-1]["broken"] >= 2
    assert all("box3: " in sentence for sentence in named)
    assert len(log_lines(tmp_path / "out", "not measured")) == 1
    assert all(np.isfinite(line["ratio"]) for line in log_lines(tmp_path / "out", "validation"))


@pytest.mark.parametrize("most_broken", [1000, 0])
def test_nothing_holds_the_model_when_a_process_leaves_the_others(most_broken, release, tmp_path, monkeypatch):
    """Neither at the end nor after an error: DDP that is the last to hold the processes' group can wait for ever."""
    (release / "pcds" / "box2_pointclouds" / "faces.npy").write_bytes(b"")
    config = tiny_config(release, tmp_path / "out", count=2)
    config = replace(config, data=replace(config.data, most_broken=most_broken))
    made, alive = [], []

    def parallelised(module, *_):
        made.append(weakref.ref(module))
        return module

    def leave(_):
        gc.collect()
        alive.extend(module() for module in made)

    monkeypatch.setattr(training_run, "parallelised", parallelised)
    monkeypatch.setattr(processes, "leave_processes", leave)
    with contextlib.nullcontext() if most_broken else pytest.raises(Motion324Error, match="most_broken=0 allows"):
        run_training(config)
    assert alive == [None]


def test_a_run_does_not_go_on_with_other_sizes(release, tmp_path):
    config = tiny_config(release, tmp_path / "out", count=1)
    assert run_training(config)
    other = replace(config, transformer=replace(config.transformer, mlp_width=96))
    with pytest.raises(Motion324Error, match=r"'transformer\.mlp_width' is 96, but the run in .* began with 48"):
        run_training(other)


def test_a_deterministic_run_takes_the_plain_attention(release, tmp_path, monkeypatch):
    chosen, real = [], BatchedTransformer.use_attention

    def noted(module, choice):
        chosen.append(choice)
        real(module, choice)

    monkeypatch.setattr(BatchedTransformer, "use_attention", noted)
    try:
        assert run_training(tiny_config(release, tmp_path / "out", count=1, deterministic=True))
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert chosen == ["math"]


def test_a_new_run_is_refused_where_another_has_left_checkpoints(release, tmp_path):
    config = tiny_config(release, tmp_path / "out", count=2)
    assert run_training(config)
    with pytest.raises(Motion324Error, match=r"holds checkpoints of another run.*resume=true") as refused:
        run_training(replace(config, resume=False, steps=replace(config.steps, count=1)))
    assert refused.value.exit_code == EXIT_USAGE
    assert run_training(replace(config, out=str(tmp_path / "new"), resume=False))


def test_what_is_exported_is_of_the_step_that_the_run_has_come_to(release, tmp_path):
    config = tiny_config(release, tmp_path / "out", count=2)
    assert run_training(replace(config, checkpoints=replace(config.checkpoints, every=1)))
    exported = load_file(export(tmp_path / "out", checkpoints.RunState(step=1)))
    assert largest_difference(exported, tensors(tmp_path / "out", 1)) == 0
    with pytest.raises(Motion324Error, match="no checkpoint of step 7"):
        export(tmp_path / "out", checkpoints.RunState(step=7))


def test_an_unfinished_checkpoint_is_never_taken_for_one(release, tmp_path):
    config = tiny_config(release, tmp_path / "out", count=1)
    assert run_training(config)
    folder = checkpoints.newest(tmp_path / "out")
    aside = folder.with_name(".step-00000009.unfinished")
    aside.mkdir()
    (aside / checkpoints.STATE).write_text("{}")
    assert checkpoints.list_all(tmp_path / "out") == [folder]
    state = json.loads((folder / checkpoints.STATE).read_text())
    (folder / checkpoints.STATE).write_text(json.dumps({**state, "format": "another"}))
    with pytest.raises(Motion324Error, match="step-00000001' cannot be read"):
        run_training(config)


def test_a_batch_that_the_processes_cannot_share_is_refused(release, tmp_path):
    config = tiny_config(release, tmp_path / "out", batch=4, batch_per_gpu=3)
    with pytest.raises(Motion324Error, match=r"'steps\.batch_per_gpu' is 3; here it can be 1, 2, 4"):
        run_training(config)
