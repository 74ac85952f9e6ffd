"""What changes while training goes on: the learning rate, and averaged weights."""

from __future__ import annotations

import math

import torch
from torch import nn

LAST_SHARE = 0.01  # of the peak, at the end


def learning_rate(peak: float, step: int, warm_up: int, progress: float) -> float:
    """A straight rise over `warm_up` steps, then a cosine's fall; progress: 0..1 of the time that training may take."""
    rise = min(1.0, (step + 1) / max(1, warm_up))
    fall = LAST_SHARE + (1 - LAST_SHARE) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, progress))))
    return peak * rise * fall


class AveragedWeights:
    """An exponential moving average of a model's weights, held in a model of its own for measuring and saving."""

    def __init__(self, averaged: nn.Module, decay: float) -> None:
        self.model = averaged.eval().requires_grad_(False)
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)
