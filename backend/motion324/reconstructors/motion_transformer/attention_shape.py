"""Describes what an attention kernel is asked for: sizes, type and device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motion324.reconstructors.motion_transformer.config import ModelConfig

HALVES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Shape:
    """What a kernel is asked for. gradients: whether autograd must be able to go through it."""

    device: torch.device
    dtype: torch.dtype
    batch: int
    queries: int
    keys: int
    heads: int
    head_width: int
    gradients: bool = False

    @property
    def capability(self) -> tuple[int, int]:
        """Of the GPU; (0, 0) without one."""
        return torch.cuda.get_device_capability(self.device) if self.device.type == "cuda" else (0, 0)


def shape_of(q: Tensor, k: Tensor) -> Shape:
    gradients = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad)
    batch, queries, heads, head_width = q.shape
    return Shape(q.device, q.dtype, batch, queries, k.shape[1], heads, head_width, gradients)


def longest_attention(config: ModelConfig, frames: int, device: torch.device, blocks: torch.dtype) -> Shape:
    """That of the global blocks, over all tokens of a window of `frames`."""
    tokens = frames * config.tokens_per_frame
    return Shape(device, blocks, 1, tokens, tokens, config.heads, config.head_width)
