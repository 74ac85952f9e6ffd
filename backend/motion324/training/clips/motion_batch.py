"""Holds what the motion transformer is trained on: samples, and batches of them.

Letters: B samples, T frames, S surface samples, N query points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
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
