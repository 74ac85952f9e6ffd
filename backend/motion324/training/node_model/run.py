"""Trains the compact model: `python -m motion324.training.node_model --rigs DIR --out DIR --seconds 500`.

The story on one screen: load, check, train for the given time while measuring on models never trained on, save.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial

import torch
from torch import Tensor

from motion324.core.errors import Motion324Error
from motion324.core.files.write_aside import explained_write_errors
from motion324.reconstructors.node_model.config import NodeModelConfig
from motion324.reconstructors.node_model.inputs_and_answers import NodeOutputs
from motion324.reconstructors.node_model.model import NodeModel
from motion324.training.node_model.batches import Synthesiser, TrainingBatch, without_tracks
from motion324.training.node_model.clips import training_and_held_out_clips, write_contact_sheet
from motion324.training.node_model.losses import Losses, Measured, bend_at, losses
from motion324.training.node_model.model import (
    answers,
    compile_blocks,
    keep_first_answer,
    new_model_config,
    starting_model,
)
from motion324.training.node_model.optimiser import AveragedWeights, CompactOptimiser, FlatGradients, learning_rate
from motion324.training.node_model.options import CompactOptions, parse_options
from motion324.training.node_model.validation import Validation, check_itself, validate
from motion324.training.node_model.weights_files import save_weights
from motion324.training.shared.gpu_work import WARM_CALLS, Prefetcher, Replayed
from motion324.training.shared.processes import Processes, joined_processes, peak_memory, synchronise
from motion324.training.shared.training_log import RunLog

LOOK_STEPS = 10  # the clock and the other processes are looked at every so many steps
LOG_STEPS = 5 * LOOK_STEPS
WARM_STEPS = WARM_CALLS + 1  # compiling and recording happen in these; the rate falls from then on to the end
BEND, BEND_GONE_ON = 0.2, 0.08  # of the loss, at the start of a new model and of one that has learnt before
WEIGHTS_NAME = "node_model.safetensors"


def main(arguments: list[str] | None = None) -> int:
    options = parse_options(arguments)
    try:
        with joined_processes(options.device) as processes:
            with explained_write_errors(options.out):
                log = RunLog(options.out if processes.is_first else None)
            try:
                train(options, new_model_config(options), processes, log)
            finally:
                log.close()
    except Motion324Error as error:
        print(f"motion324: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def train(options: CompactOptions, config: NodeModelConfig, processes: Processes, log: RunLog) -> Validation | None:
    """Trains and saves. Returns the last validation, in the first process. config: of a model that starts anew.

    Raises Motion324Error where rigs or weights are missing or broken, or cannot be written.
    """
    torch.manual_seed(options.seed)
    torch.backends.cudnn.benchmark = True
    model = starting_model(options, config).to(processes.device)
    processes.same_start(model)
    if options.only_looks:
        keep_first_answer(model, processes.device)
    settings = options.clip_settings(drawn=model.config.looks_again)
    training, held_out = training_and_held_out_clips(options, settings, processes)
    log.write(
        "start",
        parameters=sum(value.numel() for value in model.parameters()),
        processes=processes.count,
        torch=torch.__version__,
        device=torch.cuda.get_device_name() if processes.device.type == "cuda" else "cpu",
        options={key: str(value) for key, value in asdict(options).items()},
        model=asdict(model.config),
    )
    run = _Run(options, processes, log, model, training, held_out)
    return run.to_the_end()


class _Run:
    def __init__(
        self,
        options: CompactOptions,
        processes: Processes,
        log: RunLog,
        model: NodeModel,
        training: Synthesiser,
        held_out: dict[str, list[TrainingBatch]],
    ) -> None:
        self.options, self.processes, self.log, self.model = options, processes, log, model
        self.held_out = held_out
        self.looks = options.looks if model.config.looks_again else 0
        check_itself(model, self._ask, training, processes, log)
        if processes.is_first:
            write_contact_sheet(options.out / "clips.png", training.batch(8))
        self.averaged = AveragedWeights(copy.deepcopy(model), options.averaging)
        self.gradients = FlatGradients(model)
        self.optimiser = CompactOptimiser(model, options, processes.device)
        self.bend = torch.zeros((), device=processes.device)
        if options.compiled:
            compile_blocks(model)
        recorded = options.recorded and not self.looks  # what is drawn differs in size from step to step
        self.find_gradients = Replayed(self._find_gradients, training.batch(options.batch), processes.device, recorded)
        self.move_weights = Replayed(self._move_weights, None, processes.device, options.recorded)
        self.step = 0
        self.progress = 0.0
        self._first_steps(training)
        makers = [one.batches(options.batch, options.at_once) for one in training.several(options.makers)]
        self.batches = makers[0]
        self.prefetcher = (
            Prefetcher(
                [partial(next, maker) for maker in makers],
                processes.device,
                ahead=max(2, options.at_once),
                kept=options.kept,
                again=options.again,
            )
            if options.prefetch
            else None
        )
        if options.measure_first and processes.is_first:
            self._validate()
        self.warm_at = self.validated = log.seconds

    def to_the_end(self) -> Validation | None:
        measured = self._nothing_measured()
        try:
            while not self._is_over():
                self._one_step(measured)
                self.step += 1
                if self.step % LOOK_STEPS == 0:
                    self._look_at_the_clock()
                    if self.step % LOG_STEPS == 0:
                        self._log_step(measured)
                        measured = self._nothing_measured()
                    if self.log.seconds - self.validated > self.options.validate_every:
                        self._validate_and_save()
        finally:
            if self.prefetcher:
                self.prefetcher.close()
        return self._validate_and_save()

    def _first_steps(self, training: Synthesiser) -> None:
        """Before anything else uses the GPU, since recording allows nothing beside it."""
        for _ in range(WARM_STEPS):
            self._learn(training.batch(self.options.batch))
            self.step += 1
        next(training.batches(self.options.batch, self.options.at_once))  # what makes so many is compiled, too
        synchronise(self.processes.device)
        self.log.write(
            "warm",
            step=self.step,
            gpu_memory_gb=peak_memory(self.processes.device),
            recorded=self.find_gradients.is_recorded and self.move_weights.is_recorded,
        )

    def _one_step(self, measured: Measured) -> None:
        batch = self.prefetcher.next() if self.prefetcher else next(self.batches)
        found, length = self._learn(batch)
        measured.add(found, length)

    def _learn(self, batch: TrainingBatch) -> tuple[Losses, Tensor]:
        self.optimiser.set_rate(learning_rate(self.options.rate, self.step, self.options.warm_up, self.progress))
        first = BEND_GONE_ON if self.options.init else BEND
        self.bend.fill_(bend_at(self.progress, first))
        found: Losses = self.find_gradients(batch) if not self.looks else self._find_gradients(batch)
        length = self.gradients.average_and_clip(self.processes, self.options.clip)
        self.move_weights(None)
        self.averaged.update(self.model)
        return found, length

    def _find_gradients(self, batch: TrainingBatch) -> Losses:
        self.gradients.clear()
        found = losses(answers(self.model, batch, self._looks_now()), batch, self.bend)
        found.total.backward()
        return replace(found, total=found.total.detach())

    def _move_weights(self, _: None) -> None:
        self.optimiser.step()

    def _is_over(self) -> bool:
        return self.progress >= 1.0 or (0 < self.options.most_steps <= self.step)

    def _look_at_the_clock(self) -> None:
        left = max(self.options.seconds - self.warm_at, 1e-3)
        self.progress = self.processes.share((self.log.seconds - self.warm_at) / left)

    def _looks_now(self) -> int:
        """From one to all in turn, since one costs less and may be all that is used; in pairs of steps, since batches
        that are met again come between new ones."""
        return 1 + self.step // 2 % self.looks if self.looks else 0

    def _ask(self, model: NodeModel, batch: TrainingBatch) -> NodeOutputs:
        return answers(model, batch, self.looks)

    def _validate(self) -> Validation:
        """Measures on all sets with as many looks as in training, and on the first one with fewer and more as well."""
        result = None
        for name, batches in self.held_out.items():
            more = {0, 1, self.looks + 1} if self.looks and result is None else set()
            for looks in [self.looks, *sorted(more - {self.looks})]:
                found = validate(self.averaged.model, batches, self._predicted(looks))
                told = f"{name}, {looks} looks" if looks != self.looks else name
                self.log.write(told, step=self.step, **asdict(found))
                result = result or found
            if self.options.tracks_share:
                alone = [without_tracks(batch) for batch in batches]
                found = validate(self.averaged.model, alone, self._predicted(self.looks))
                self.log.write(f"{name} without tracks", step=self.step, **asdict(found))
        assert result is not None
        return result

    def _predicted(self, looks: int) -> Callable[[NodeModel, TrainingBatch], Tensor]:
        return lambda model, batch: answers(model, batch, looks).positions[-1]

    def _nothing_measured(self) -> Measured:
        return Measured(self.prefetcher.waited if self.prefetcher else 0.0)

    def _log_step(self, measured: Measured) -> None:
        steps = LOG_STEPS if self.step > LOG_STEPS else self.step - WARM_STEPS
        means = measured.means(steps)
        elapsed = time.monotonic() - measured.since
        waited = (self.prefetcher.waited if self.prefetcher else 0.0) - measured.waited
        self.log.write(
            "step",
            step=self.step,
            progress=self.progress,
            loss=means.pop("points"),
            **means,
            step_ms=1000 * elapsed / steps,
            waiting_share=waited / elapsed,
            repeats=self.prefetcher.repeats if self.prefetcher else 0,
        )

    def _validate_and_save(self) -> Validation | None:
        self.validated = self.log.seconds
        if not self.processes.is_first:
            return None
        found = self._validate()
        weights = dict(self.averaged.model.named_parameters())
        save_weights(self.options.out / WEIGHTS_NAME, self.model.config, weights)
        return found
