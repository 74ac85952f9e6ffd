"""Holds what the motion transformer is trained on: samples, batches of them, and which samples a step takes.

Letters: B samples, T frames, S surface samples, N query points.

Samples are numbered from 0 over the whole run, whatever the number of processes: step s takes the numbers s * batch to
(s + 1) * batch - 1. What is drawn for a number depends on it and the seed alone, so that a run goes on with the same
samples after a stop, and on another number of GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class MotionSample:
    """One clip, in normalised space (Y up) of its reference frame, which is frame 0.

    video (T, H, W, 3) uint8. surface (S, 9), points (N, 9) float32: position, unit normal, sRGB colour in [0, 1].
    targets (T, N, 3) float32: where the points are in every frame. name: of the clip. broken: a sentence for each clip
    that was drawn in its place before, and could not be used.
    """

    video: np.ndarray
    surface: np.ndarray
    points: np.ndarray
    targets: np.ndarray
    name: str
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class MotionBatch:
    """Samples with a leading axis B: see MotionSample. broken: the sentences of all of them."""

    video: Tensor
    surface: Tensor
    points: Tensor
    targets: Tensor
    names: tuple[str, ...]
    broken: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.video.shape[0]

    def to(self, device: torch.device) -> MotionBatch:
        return replace(self, **{n: value.to(device, non_blocking=True) for n, value in self.tensors().items()})

    def pin_memory(self) -> MotionBatch:
        return replace(self, **{n: value.pin_memory() for n, value in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        found: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def as_batch(samples: Sequence[MotionSample]) -> MotionBatch:
    return MotionBatch(
        video=torch.from_numpy(np.stack([sample.video for sample in samples])),
        surface=torch.from_numpy(np.stack([sample.surface for sample in samples])),
        points=torch.from_numpy(np.stack([sample.points for sample in samples])),
        targets=torch.from_numpy(np.stack([sample.targets for sample in samples])),
        names=tuple(sample.name for sample in samples),
        broken=tuple(sentence for sample in samples for sentence in sample.broken),
    )


def joined(batches: Sequence[MotionBatch]) -> MotionBatch:
    """One after the other along B."""
    tensors = {name: torch.cat([batch.tensors()[name] for batch in batches]) for name in batches[0].tensors()}
    names = tuple(name for batch in batches for name in batch.names)
    return MotionBatch(**tensors, names=names, broken=tuple(text for batch in batches for text in batch.broken))


@dataclass(frozen=True)
class Shares:
    """batch: samples of a step. at_once: samples that one process takes at once. rank of count processes."""

    batch: int
    at_once: int
    rank: int = 0
    count: int = 1

    @property
    def parts(self) -> int:
        """Batches that a process takes one after the other in a step."""
        return self.batch // (self.at_once * self.count)

    def numbers(self, step: int) -> Iterator[range]:
        """This process's numbers of a step, part by part."""
        for part in range(self.parts):
            first = step * self.batch + (part * self.count + self.rank) * self.at_once
            yield range(first, first + self.at_once)

    def from_step(self, step: int) -> Iterator[range]:
        """This process's numbers from a step on, without end."""
        while True:
            yield from self.numbers(step)
            step += 1


def draws_for(seed: int, number: int, attempt: int = 0) -> np.random.Generator:
    """The random numbers of one sample. attempt: how many clips drawn for it could not be used."""
    return np.random.default_rng([seed, number, attempt])


def item_for(seed: int, number: int, items: int) -> int:
    """Which of the items a sample is of: every item once in `items` samples, in an order of its own each time."""
    return int(_order(seed, number // items, items)[number % items])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, items: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, items, 324]).permutation(items)
