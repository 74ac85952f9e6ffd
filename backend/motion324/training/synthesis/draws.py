"""Random numbers on a device, from one generator, so that a seed repeats a batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Draws:
    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self.generator = torch.Generator(device)
        self.generator.manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self.generator, device=self.device)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return self.uniform(math.log(low), math.log(high), *shape).exp()

    def chance(self, share: float, *shape: int) -> Tensor:
        """True with the probability `share`."""
        return torch.rand(*shape, generator=self.generator, device=self.device) < share

    def directions(self, *shape: int) -> Tensor:
        """(*shape, 3): unit vectors, evenly over the sphere."""
        vectors = self.normal(*shape, 3)
        return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-6)

    def below(self, limits: Tensor) -> Tensor:
        """Whole numbers from 0 to below each limit."""
        drawn = torch.rand(limits.shape, generator=self.generator, device=self.device)
        return (drawn * limits).long().minimum(limits - 1)

    def smooth_curves(self, times: Tensor, *shape: int) -> Tensor:
        """times (B, T) in frames -> (B, T, *shape): sums of two sines with random periods, about -1..1."""
        b = times.shape[0]
        span = (times.amax(dim=1) - times.amin(dim=1)).clamp(min=1).view(b, *(1,) * (len(shape) + 1))
        moment = times.view(*times.shape, *(1,) * len(shape)) / span
        total = torch.zeros(())
        for amplitude, low, high in ((0.7, 0.15, 1.2), (0.3, 0.8, 3.0)):
            cycles = self.log_uniform(low, high, b, 1, *shape)
            phase = self.uniform(0, 2 * math.pi, b, 1, *shape)
            total = total + amplitude * torch.sin(2 * math.pi * cycles * moment + phase)
        return total
