"""Measures the motion transformer on samples that it is not trained on, beside the mesh held still."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import nn

from motion324.training.clips.sample_sources import MeasuredBatch
from motion324.training.shared.processes import Processes


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
