"""Muon: momentum whose matrices are made orthogonal before they are applied.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the scale of its steps, so that AdamW's
rate and weight decay serve both, after Liu et al., "Muon is Scalable for LLM Training", 2025.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration in Jordan et al.
LIKE_ADAM = 0.2  # the root mean square of AdamW's usual step, in units of its rate


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
