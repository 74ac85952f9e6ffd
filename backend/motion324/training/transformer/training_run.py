"""Runs the training of the motion transformer, from its configuration to the exported weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.reconstructors.motion_transformer.checkpoint import load_model, write_checkpoint
from motion324.reconstructors.motion_transformer.model import MotionModel
from motion324.training.clips.sample_sources import measured_batches, open_source
from motion324.training.shared.config import TrainingConfig, check_config
from motion324.training.shared.config_keys import as_tables, keys_of, with_values
from motion324.training.shared.processes import Processes, StopSignals, joined_processes
from motion324.training.shared.training_log import TrainingLog
from motion324.training.transformer import checkpoints
from motion324.training.transformer.batched_transformer import BatchedTransformer, settle_attention, squared_error
from motion324.training.transformer.checkpoints import RunState
from motion324.training.transformer.optimiser import build_optimiser, gradients_shared, parallelised, trained_parameters
from motion324.training.transformer.preparation import choose_shares, load_image_encoder, random_batch, random_model
from motion324.training.transformer.trainer import Trainer

log = logging.getLogger(__name__)

EXPORTED = "motion_transformer.safetensors"
ADAMW_BYTES = 8  # for each trained number


def run_training(config: TrainingConfig) -> bool:
    """Trains, and writes the best weights (the last, where nothing is measured) to OUT/motion_transformer.safetensors.

    True at the end; False where a signal has stopped it, after it was saved. Start it with torchrun for several GPUs.
    Raises Motion324Error.
    """
    check_config(config)
    with joined_processes(config.device) as processes:
        return _run(config, processes)


def _run(config: TrainingConfig, processes: Processes) -> bool:
    with StopSignals() as signals:
        trainer = build_trainer(config, processes)
        try:
            finished = trainer.run(signals)
            if finished and processes.is_first:
                export(Path(config.out), trainer.state)
        finally:
            trainer.source.close()
            trainer.log.close()
    return finished


def build_trainer(config: TrainingConfig, processes: Processes) -> Trainer:
    """Everything that a run needs, in the state of the newest checkpoint where there is one and `resume` is set."""
    _set_up_torch(config)
    start = _start(config, processes)
    attention = "math" if config.steps.deterministic else config.steps.attention
    model, precision = start.model, _precision(config, processes.device)
    module = BatchedTransformer(
        model,
        config.data.frames,
        frozen_images=config.steps.freeze_image_encoder,
        recompute=config.steps.recompute,
        compiled=config.steps.compiled,
        attention=attention,
    )
    trained = sum(value.numel() for value in trained_parameters(model).values())
    parallel = parallelised(module, processes, config.steps.parallel)
    peak = partial(_peak_bytes, parallel, config, processes.device, precision)
    if processes.device.type == "cuda" and not isinstance(parallel, FSDPModule):
        settle_attention(module, attention, partial(peak, 1))
    earlier = start.state.batch_per_gpu if start.state.processes == processes.count else 0
    kept = trained * ADAMW_BYTES // (processes.count if isinstance(parallel, FSDPModule) else 1)
    shares = choose_shares(config, processes, earlier, peak, kept)
    state = replace(start.state, batch_per_gpu=shares.at_once, processes=processes.count)
    optimiser = build_optimiser(model, config.optimiser, processes.device)
    training_log = TrainingLog(
        Path(config.out) if processes.is_first else None, config.log, as_tables(config), state.step
    )
    training_log.tell(
        "start",
        state.step,
        parameters=sum(value.numel() for value in model.parameters()),
        trained=trained,
        processes=processes.count,
        batch_per_gpu=shares.at_once,
        device=torch.cuda.get_device_name() if processes.device.type == "cuda" else "cpu",
        torch=torch.__version__,
        config=as_tables(config),
    )
    try:
        measured = measured_batches(config, shares, processes)
        for sentence in dict.fromkeys(processes.texts([text for one in measured for text in one.batch.broken])):
            training_log.tell("not measured", state.step, sample=sentence)
        source = open_source(config, shares, state.step, processes)
    except BaseException:
        training_log.close()
        raise
    if start.checkpoint is not None:
        checkpoints.restore(start.checkpoint, model, optimiser, processes.device)
    return Trainer(
        config, processes, model, parallel, optimiser, source, shares, measured, training_log, state, precision
    )


def export(out: Path, state: RunState) -> Path:
    """The weights of the best checkpoint, or of the state's own, as a file for `--reconstructor motion-transformer`.

    Raises Motion324Error("checkpoint-missing").
    """
    steps = [step for step in (state.best_step, state.step) if step is not None]
    folder = next((found for step in steps if (found := checkpoints.folder_of(out, step)).is_dir()), None)
    if folder is None:
        raise Motion324Error("checkpoint-missing", f"'{out}' holds no checkpoint of step {state.step} to export.")
    chosen, _ = checkpoints.read_state(folder)
    model = checkpoints.read_model(folder)
    write_checkpoint(model.state_dict(), model.config, out / EXPORTED, {"step": str(chosen.step)})
    return out / EXPORTED


@dataclass(frozen=True)
class _Start:
    model: MotionModel
    state: RunState
    checkpoint: Path | None


def _start(config: TrainingConfig, processes: Processes) -> _Start:
    """Raises Motion324Error("out-used") where a new run would mix its checkpoints with those of another."""
    newest = checkpoints.newest(Path(config.out))
    if newest is not None and not config.resume:
        raise Motion324Error(
            "out-used",
            f"The folder '{config.out}' holds checkpoints of another run, and resume is false.",
            "Give a new folder with out, or set resume=true to go on with that run.",
            EXIT_USAGE,
        )
    if newest is not None:
        state, told = checkpoints.read_state(newest)
        _check_sizes(config, told, newest)
        return _Start(checkpoints.read_model(newest), state, newest)
    if config.init:
        path = Path(config.init)
        model = load_model(path, torch.device("cpu"), torch.float32)
        step = checkpoints.step_told_by(path) if config.continue_steps else 0
        return _Start(model, RunState(step=step), None)
    model = random_model(config.transformer, config.seed)
    if config.image_encoder:
        load_image_encoder(model, Path(config.image_encoder))
    elif config.steps.freeze_image_encoder and processes.is_first:
        log.warning("The image encoder has random weights and stays as it is: give image_encoder or init.")
    return _Start(model, RunState(), None)


def _check_sizes(config: TrainingConfig, told: dict[str, Any], folder: Path) -> None:
    """told: the configuration of the run that wrote the checkpoint. Raises Motion324Error("config-value")."""
    earlier = with_values(config, {"transformer": told.get("transformer", {})}, str(folder / checkpoints.STATE))
    for now, then in zip(keys_of(config), keys_of(earlier), strict=True):
        if now.value != then.value:
            raise Motion324Error(
                "config-value",
                f"The key '{now.name}' is {now.value!r}, but the run in '{config.out}' began with {then.value!r}.",
                "Keep the sizes, or give a new folder with out.",
                EXIT_USAGE,
            )


def _set_up_torch(config: TrainingConfig) -> None:
    torch.manual_seed(config.seed)
    if config.steps.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # Clips are made with sums whose order PyTorch does not fix on a GPU, and so is the image encoder's gradient.
        unfixed = config.data.kind == "synthetic" or not config.steps.freeze_image_encoder
        torch.use_deterministic_algorithms(True, warn_only=unfixed)


def _precision(config: TrainingConfig, device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """The context of a forward pass: products in bfloat16, sums and norms in float32; or all in float32."""
    half = config.steps.precision == "bfloat16"
    return lambda: torch.autocast(device.type, torch.bfloat16, enabled=half)


def _peak_bytes(
    module: nn.Module,
    config: TrainingConfig,
    device: torch.device,
    precision: Callable[[], AbstractContextManager[None]],
    size: int,
) -> int:
    """Memory that a forward and backward pass over so many samples takes at most, the weights included."""
    module.zero_grad(set_to_none=True)
    torch.cuda.empty_cache()
    batch = random_batch(config, size, device)
    torch.cuda.reset_peak_memory_stats(device)
    with gradients_shared(module, now=isinstance(module, FSDPModule)):  # DDP does not survive a failed exchange
        with precision():
            loss = squared_error(module(batch.video, batch.surface, batch.points), batch.targets)
        loss.backward()
    found = torch.cuda.max_memory_allocated(device)
    module.zero_grad(set_to_none=True)
    del batch, loss
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return found
