"""Opens the configured data: a stream of batches to train on, and fixed batches to measure on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from motion324.training.clips.motion_batch import MotionBatch, MotionSample, Shares, as_batch
from motion324.training.clips.release_loader import ReleaseSource, read_in_order, read_release
from motion324.training.clips.synthetic_clips import (
    VALIDATION_SEED,
    SyntheticSource,
    clips_of,
    training_clips,
    validation_clips,
)
from motion324.training.shared.config import TrainingConfig
from motion324.training.shared.processes import Processes


class SampleSource(Protocol):
    """Batches of this process in order, on its device. waited: seconds that `next` has spent waiting, in all."""

    @property
    def waited(self) -> float: ...

    def next(self) -> MotionBatch: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class MeasuredBatch:
    """counted (B,) bool: which samples count. The others only fill the batch up, so that all processes take as many
    steps: beyond the samples that are asked for, and in the place of broken ones."""

    batch: MotionBatch
    counted: Tensor


def open_source(config: TrainingConfig, shares: Shares, step: int, processes: Processes) -> SampleSource:
    """Batches from a step on. Raises Motion324Error where the data are missing."""
    if config.data.kind == "synthetic":
        clips = training_clips(config.synthetic, config.data, config.seed, processes.device)
        return SyntheticSource(clips, shares, step, processes)
    dataset = read_release(config.release, config.data, config.release.list, config.seed)
    return ReleaseSource(dataset, shares, step, processes)


def measured_batches(config: TrainingConfig, shares: Shares, processes: Processes) -> list[MeasuredBatch]:
    """This process's part of the samples to measure on, the same for every run; none where there are no such data.

    Broken ones are left out; their batch tells of them.
    """
    wanted = config.validation.samples
    fixed = Shares(shares.at_once * shares.count, shares.at_once, shares.rank, shares.count)
    numbers = [part for group in range(-(-wanted // fixed.batch)) for part in fixed.numbers(group)]
    if config.validation.every == 0:
        return []
    if config.data.kind == "synthetic":
        clips = validation_clips(config.synthetic, config.data, config.seed, processes.device)
        found = [MeasuredBatch(clips_of(clips, part), _first(part, wanted)) for part in numbers] if clips else []
    elif config.release.validation_list:
        dataset = read_release(config.release, config.data, config.release.validation_list, VALIDATION_SEED)
        found = [_measured(read_in_order(dataset, part), _first(part, wanted)) for part in numbers]
    else:
        found = []
    return found


def _measured(samples: list[MotionSample], wanted: Tensor) -> MeasuredBatch:
    return MeasuredBatch(as_batch(samples), wanted & torch.tensor([not sample.broken for sample in samples]))


def _first(part: range, wanted: int) -> Tensor:
    """Which of these numbers are among the first `wanted`."""
    return torch.tensor([number < wanted for number in part])
