"""Steps by AdamW as the recipe has it: decay on matrices only, a schedule, and steps that are shortened or left out.

Several processes update one model by DDP, where each holds all of it, or by FSDP, where each holds a part.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from motion324.reconstructors.motion_transformer.model import MotionModel
from motion324.training.shared.config import OptimiserConfig
from motion324.training.shared.processes import Processes
from motion324.training.transformer.batched_transformer import BatchedTransformer


def parallelised(module: BatchedTransformer, processes: Processes, way: str) -> nn.Module:
    """The module on the processes' devices; by itself on a single process. way: "ddp" or "fsdp".

    With FSDP the parameters are other objects afterwards, and no device ever holds all of them at once.
    """
    if processes.count == 1:
        return module.to(processes.device)
    if way == "ddp":
        module.to(processes.device)
        devices = [processes.device.index] if processes.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices, gradient_as_bucket_view=True)
    mesh = init_device_mesh(processes.device.type, (processes.count,))
    for block in [*module.blocks(), *module.model.image_encoder.model.blocks]:
        fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)
    return module


@contextlib.contextmanager
def gradients_shared(module: nn.Module, now: bool) -> Iterator[None]:
    """Within the block, backward passes average gradients over the processes, or (now=False) only add to their own."""
    if isinstance(module, DistributedDataParallel) and not now:
        with module.no_sync():
            yield
        return
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(now)
    yield


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that processes hold parts of; every process must ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def part_like(value: Tensor, like: Tensor) -> Tensor:
    """This process's part of `value`, held as `like` is, on its device."""
    value = value.to(like.device)
    return distribute_tensor(value, like.device_mesh, like.placements) if isinstance(like, DTensor) else value


def gradient_norm(parameters: list[nn.Parameter]) -> Tensor:
    """Length of all gradients together, over all processes' parts."""
    gradients = [value.grad for value in parameters if value.grad is not None]
    return whole(torch.nn.utils.get_total_norm(gradients))


def trained_parameters(model: MotionModel) -> dict[str, nn.Parameter]:
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def build_optimiser(model: MotionModel, config: OptimiserConfig, device: torch.device) -> torch.optim.AdamW:
    """Matrices are the weights of linear layers and convolutions; tokens, position tables, norms and biases are not."""
    kinds = (nn.Linear, nn.Conv2d)
    matrices = {id(module.weight) for module in model.modules() if isinstance(module, kinds)}
    trained = list(trained_parameters(model).values())
    groups = [
        {"params": [value for value in trained if id(value) in matrices], "weight_decay": config.weight_decay},
        {"params": [value for value in trained if id(value) not in matrices], "weight_decay": 0.0},
    ]
    beta1, beta2 = config.betas
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.rate,
        betas=(beta1, beta2),
        eps=config.epsilon,
        fused=device.type == "cuda",
    )


def rate_at(config: OptimiserConfig, step: int, steps: int) -> float:
    """A straight rise over the warm-up, then a cosine's fall to `final_share` at the last step."""
    if step < config.warm_up:
        return config.rate * (step + 1) / config.warm_up
    progress = min(1.0, (step - config.warm_up) / max(1, steps - config.warm_up))
    share = config.final_share + (1 - config.final_share) * 0.5 * (1 + math.cos(math.pi * progress))
    return config.rate * share


@dataclass(frozen=True)
class Update:
    """loss: over all processes. gradient: its length before clipping. skipped: that the weights were left alone."""

    loss: float
    gradient: float
    skipped: bool

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.loss) and math.isfinite(self.gradient)


def update(
    optimiser: torch.optim.AdamW,
    parameters: list[nn.Parameter],
    config: OptimiserConfig,
    step: int,
    steps: int,
    loss: float,
) -> Update:
    """One step with the gradients that the parameters hold.

    It is left out where loss or gradient is not finite, and after the warm-up where the gradient is an outlier.
    """
    length = gradient_norm(parameters)
    gradient = float(length.item())
    limit = config.clip * config.skip_above if config.skip_above and step >= config.warm_up else math.inf
    done = Update(loss, gradient, not math.isfinite(loss) or not math.isfinite(gradient) or gradient > limit)
    if done.skipped:
        return done
    torch.nn.utils.clip_grads_with_norm_(parameters, config.clip, length)
    for group in optimiser.param_groups:
        group["lr"] = rate_at(config, step, steps)
    optimiser.step()
    return done
