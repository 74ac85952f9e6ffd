"""Keeps all gradients of a model in one piece of memory: averaged, measured and clipped in a few operations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motion324.training.shared.processes import Processes


class FlatGradients:
    """Every parameter's .grad is a view of one vector. Never set them to None: use `clear`."""

    def __init__(self, model: nn.Module) -> None:
        parameters = [value for value in model.parameters() if value.requires_grad]
        self.vector = torch.zeros(sum(value.numel() for value in parameters), device=parameters[0].device)
        start = 0
        for value in parameters:
            value.grad = self.vector[start : start + value.numel()].view_as(value)
            start += value.numel()

    def clear(self) -> None:
        self.vector.zero_()

    def average_and_clip(self, processes: Processes, limit: float) -> Tensor:
        """Means over the processes, shortened to `limit`; zeros where not finite. Returns the length before."""
        processes.average(self.vector)
        length = self.vector.norm()
        factor = (limit / length.clamp(min=1e-12)).clamp(max=1.0)
        self.vector.mul_(factor)
        torch.nan_to_num_(self.vector, nan=0.0, posinf=0.0, neginf=0.0)
        return length
