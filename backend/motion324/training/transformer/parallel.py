"""Trains one model on several processes: DDP, where each holds all of it, or FSDP, where each holds a part."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

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
