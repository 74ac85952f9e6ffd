"""Moves the compact model's weights: its optimiser, its gradients, the learning rate, and the averaged weights.

Muon's momentum has its matrices made orthogonal before they are applied: Jordan et al., "Muon: An optimizer for hidden
layers in neural networks", 2024; the scale of its steps, so that AdamW's rate and weight decay serve both, after Liu et
al., "Muon is Scalable for LLM Training", 2025.
"""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from torch import Tensor, nn

from motion324.reconstructors.node_model.model import NodeModel
from motion324.training.node_model.options import CompactOptions
from motion324.training.shared.processes import Processes

FIRST_AND_LAST = ("encoder.stem.", "point_in.", "node_out.", ".head.")  # within names of layers
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration in Jordan et al.
LIKE_ADAM = 0.2  # the root mean square of AdamW's usual step, in units of its rate
LAST_SHARE = 0.01  # of the peak, at the end


class CompactOptimiser:
    """The rate lies on the device, so that a recorded step can be replayed with another one."""

    def __init__(self, model: NodeModel, options: CompactOptions, device: torch.device) -> None:
        inner, outer, vectors = [], [], []
        for name, value in model.named_parameters():
            if not value.requires_grad:
                continue
            if value.dim() <= 1:
                vectors.append(value)
            elif any(part in name for part in FIRST_AND_LAST) or not options.muon:
                outer.append(value)
            else:
                inner.append(value)
        on_gpu = device.type == "cuda"
        self._rate = torch.zeros((), device=device)
        self._muon = Muon(inner, options.momentum, options.weight_decay)
        self._adam = torch.optim.AdamW(
            [{"params": outer, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=self._rate,
            betas=(0.9, 0.98),
            fused=on_gpu,
            capturable=on_gpu,
        )

    def set_rate(self, rate: float) -> None:
        self._rate.fill_(rate)

    def step(self) -> None:
        self._muon.step(self._rate)
        self._adam.step()


class Muon:
    """Steps for matrices and convolutions. All of one shape are worked on together.

    momentum: of the averaged gradients, looked at ahead as Nesterov does. weight_decay: times the rate, per step.
    """

    def __init__(self, parameters: list[nn.Parameter], momentum: float, weight_decay: float) -> None:
        self._momentum, self._weight_decay = momentum, weight_decay
        groups: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
        for value in parameters:
            groups[value.shape[0], value[0].numel()].append(value)
        self._groups = [
            (values, torch.zeros(len(values), *shape, device=values[0].device)) for shape, values in groups.items()
        ]

    @torch.no_grad()
    def step(self, rate: Tensor) -> None:
        """rate (): on the parameters' device. All parameters have gradients."""
        for values, average in self._groups:
            gradients = torch.stack([value.grad.flatten(1) for value in values if value.grad is not None])
            average.lerp_(gradients, 1 - self._momentum)
            steps = orthogonal(gradients.lerp(average, self._momentum)).float()
            steps = steps * (-LIKE_ADAM * max(steps.shape[1:]) ** 0.5 * rate)
            torch._foreach_mul_(values, 1 - rate * self._weight_decay)
            torch._foreach_add_(values, [step.view_as(value) for step, value in zip(steps, values, strict=True)])


def orthogonal(matrices: Tensor) -> Tensor:
    """matrices (N, a, b) -> bfloat16, with all singular values near 1 (0.7 to 1.2), by a Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


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
