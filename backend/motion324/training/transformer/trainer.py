"""Runs the training loop of the motion transformer, and measures it on samples that it is not trained on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from motion324.core.errors import EXIT_INTERNAL, Motion324Error
from motion324.core.files.write_aside import explained_write_errors
from motion324.reconstructors.motion_transformer.model import MotionModel
from motion324.training.clips.motion_batch import MotionBatch, Shares
from motion324.training.clips.release_loader import samples_broken
from motion324.training.clips.sample_sources import MeasuredBatch, SampleSource
from motion324.training.shared.config import TrainingConfig
from motion324.training.shared.config_keys import as_tables
from motion324.training.shared.processes import Processes, StopSignals
from motion324.training.shared.training_log import TrainingLog
from motion324.training.transformer import checkpoints
from motion324.training.transformer.batched_transformer import squared_error
from motion324.training.transformer.checkpoints import RunState
from motion324.training.transformer.optimiser import Update, gradients_shared, rate_at, trained_parameters, update


@dataclass(frozen=True)
class Measure:
    """ratio: mean distance of predicted points from the truth, over that of the still mesh; smaller is better.

    error, still_error: these two distances, in normalised space. loss: the squared error that training reduces.
    """

    ratio: float
    error: float
    still_error: float
    loss: float


@torch.no_grad()
def measure(
    module: nn.Module,
    batches: list[MeasuredBatch],
    processes: Processes,
    precision: Callable[[], AbstractContextManager[None]],
) -> Measure:
    """Every process measures its batches; all get the same result: NaN where no sample is left to measure on."""
    sums = torch.zeros(4, dtype=torch.float64)
    for measured in batches:
        batch, counted = measured.batch.to(processes.device), measured.counted
        with precision():
            predicted = module(batch.video, batch.surface, batch.points).float()
        truth = batch.targets
        rows = torch.stack(
            [
                (predicted - truth)[:, 1:].norm(dim=-1).mean(dim=(1, 2)),
                (truth[:, :1] - truth)[:, 1:].norm(dim=-1).mean(dim=(1, 2)),
                (predicted - truth).square().mean(dim=(1, 2, 3)),
                torch.ones(len(batch), device=truth.device),
            ]
        )
        sums += rows.cpu()[:, counted].sum(dim=1).double()
    error, still, loss, samples = processes.totals(sums.tolist())
    if not samples:
        return Measure(math.nan, math.nan, math.nan, math.nan)
    return Measure(error / max(still, 1e-12), error / samples, still / samples, loss / samples)


BROKEN_NAMED = 20  # of the broken samples, how many are named in the log for every line of it


@dataclass
class _SinceLastLine:
    loss: float = 0.0
    gradient: float = 0.0
    steps: int = 0
    started: float = 0.0
    waited: float = 0.0


@dataclass
class Trainer:
    """module: the model as the processes share it. model: its parts. measured: batches to measure on, or none."""

    config: TrainingConfig
    processes: Processes
    model: MotionModel
    module: nn.Module
    optimiser: torch.optim.AdamW
    source: SampleSource
    shares: Shares
    measured: list[MeasuredBatch]
    log: TrainingLog
    state: RunState
    precision: Callable[[], AbstractContextManager[None]]

    def run(self, signals: StopSignals) -> bool:
        """Trains to the last step: True; or until a signal asks any process to stop: False. Either way it is saved.

        Raises Motion324Error("training-nan", "samples-broken", "disk-full", "cannot-write").
        """
        steps, since = self.config.steps.count, self._from_now()
        while self.state.step < steps:
            done, stop = self.step(bool(signals.received))
            since.loss += done.loss
            since.gradient += done.gradient
            since.steps += 1
            step = self.state.step
            if step % self.config.log.every == 0 or step == steps:
                self._tell(since)
                since = self._from_now()
            improved = self._measure() if self._is_due(self.config.validation.every, steps) else False
            if stop or improved or self._is_due(self.config.checkpoints.every, steps):
                self._save()
            if stop:
                self.log.tell("stopped", step, signal=signals.received or "of another process")
                return False
        return True

    def step(self, asked_to_stop: bool) -> tuple[Update, bool]:
        config, state, parts = self.config, self.state, self.shares.parts
        self.optimiser.zero_grad(set_to_none=True)
        batches: list[MotionBatch] = []
        total = torch.zeros((), device=self.processes.device)
        for part in range(parts):
            batches.append(self.source.next())
            with gradients_shared(self.module, now=part == parts - 1):
                loss = self.loss(batches[-1]) / parts
                loss.backward()
            total += loss.detach()
        broken = [sentence for batch in batches for sentence in batch.broken]
        own = float(total.item())
        sums = self.processes.totals([own, float(asked_to_stop), float(len(broken))])
        parameters = list(trained_parameters(self.model).values())
        mean = sums[0] / self.processes.count
        done = update(self.optimiser, parameters, config.optimiser, state.step, config.steps.count, mean)
        self.state = replace(
            state,
            step=state.step + 1,
            skipped=state.skipped + done.skipped,
            broken=state.broken + int(sums[2]),
            not_finite=0 if done.is_finite else state.not_finite + 1,
        )
        if sums[2]:
            self._look_at_broken(self.processes.texts(broken))
        if self.state.not_finite >= config.steps.nan_limit:
            self._stop_for_nan(batches, own)
        return done, sums[1] > 0

    def loss(self, batch: MotionBatch) -> torch.Tensor:
        with self.precision():
            return squared_error(self.module(batch.video, batch.surface, batch.points), batch.targets)

    def _is_due(self, every: int, steps: int) -> bool:
        return every > 0 and (self.state.step % every == 0 or self.state.step == steps)

    def _measure(self) -> bool:
        """Whether it is the best so far."""
        if not self.measured:
            return False
        found = measure(self.module, self.measured, self.processes, self.precision)
        self.log.tell("validation", self.state.step, **asdict(found))
        if not math.isfinite(found.ratio) or (self.state.best is not None and found.ratio >= self.state.best):
            return False
        self.state = replace(self.state, best=found.ratio, best_step=self.state.step)
        return True

    def _save(self) -> None:
        contents = checkpoints.gather(self.model, self.optimiser, self.processes.device)
        if self.processes.is_first:
            out = Path(self.config.out)
            checkpoints.write(out, self.state, contents, self.model, as_tables(self.config))
            checkpoints.prune(out, self.config.checkpoints.keep, self.state.best_step)
        self.processes.wait()

    def _look_at_broken(self, broken: list[str]) -> None:
        """broken: the sentences of all processes."""
        for sentence in broken[:BROKEN_NAMED]:
            self.log.tell("broken", self.state.step, sample=sentence)
        if self.state.broken > self.config.data.most_broken:
            limit = f"more than data.most_broken={self.config.data.most_broken} allows"
            raise samples_broken(f"{self.state.broken} of them, {limit}, the last of them {broken[-1]}")

    def _stop_for_nan(self, batches: list[MotionBatch], loss: float) -> None:
        """Saves the batches where this process's loss is not finite, or, where all are, those of the first one."""
        step, out = self.state.step, Path(self.config.out)
        path = out / f"not_finite_step_{step}_process_{self.processes.rank}.safetensors"
        if not math.isfinite(loss) or self.processes.is_first:
            tensors = {
                f"{part}.{name}": value.cpu().contiguous()
                for part, batch in enumerate(batches)
                for name, value in batch.tensors().items()
            }
            names = "\n".join(name for batch in batches for name in batch.names)
            with explained_write_errors(path):
                save_file(tensors, path, metadata={"names": names})
        raise Motion324Error(
            "training-nan",
            f"Training stops at step {step}, since loss or gradient was not finite for {self.state.not_finite} steps; "
            f"the last batch is in '{out}'.",
            "Go on from the newest checkpoint with a smaller optimiser.rate, or with steps.precision=float32.",
            EXIT_INTERNAL,
        )

    def _from_now(self) -> _SinceLastLine:
        return _SinceLastLine(started=time.monotonic(), waited=self.source.waited)

    def _tell(self, since: _SinceLastLine) -> None:
        seconds = max(time.monotonic() - since.started, 1e-9)
        memory = {}
        if self.processes.device.type == "cuda":
            memory["gpu_memory_gb"] = torch.cuda.max_memory_reserved(self.processes.device) / 1e9
        self.log.tell(
            "train",
            self.state.step,
            loss=since.loss / since.steps,
            gradient=since.gradient / since.steps,
            rate=rate_at(self.config.optimiser, self.state.step - 1, self.config.steps.count),
            samples_per_second=since.steps * self.shares.batch / seconds,
            waiting_share=(self.source.waited - since.waited) / seconds,
            skipped=self.state.skipped,
            broken=self.state.broken,
            **memory,
        )
