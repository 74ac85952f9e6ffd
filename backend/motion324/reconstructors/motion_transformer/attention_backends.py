"""Describes what an attention kernel is asked for, and has the functions behind the kernels: PyTorch's
scaled_dot_product_attention, flash-attn 2 to 4, and xformers.

Each `..._knows` tells whether a function may do a shape here, and its package is installed; whether that build runs
here is tried later. Each `..._with_sums` also returns the logarithms (B, H, Lq) of the sums of the exponentials of the
scores, which scaled_dot_product_attention computes but keeps to itself; so for PyTorch these call the operators behind
it, which also spares the time that switching between the backends takes.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from motion324.reconstructors.motion_transformer.config import ModelConfig

HALVES = (torch.float16, torch.bfloat16)
MATH_SCORES = 1 << 24  # numbers in the score matrix of one step of the "math" kernel: 64 MB in float32


@dataclass(frozen=True)
class Shape:
    """What a kernel is asked for. gradients: whether autograd must be able to go through it. bounded: whether no score
    can be larger than fused.MOST_SCORE tells."""

    device: torch.device
    dtype: torch.dtype
    batch: int
    queries: int
    keys: int
    heads: int
    head_width: int
    gradients: bool = False
    bounded: bool = False

    @property
    def capability(self) -> tuple[int, int]:
        """Of the GPU; (0, 0) without one."""
        return torch.cuda.get_device_capability(self.device) if self.device.type == "cuda" else (0, 0)


def shape_of(q: Tensor, k: Tensor, bounded: bool = False) -> Shape:
    gradients = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad)
    batch, queries, heads, head_width = q.shape
    return Shape(q.device, q.dtype, batch, queries, k.shape[1], heads, head_width, gradients, bounded)


def longest_attention(config: ModelConfig, frames: int, device: torch.device, blocks: torch.dtype) -> Shape:
    """That of the global blocks, over all tokens of a window of `frames`."""
    tokens = frames * config.tokens_per_frame
    return Shape(device, blocks, 1, tokens, tokens, config.heads, config.head_width)


def sdpa(
    backend: SDPBackend, with_sums: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The attention by a backend: by its operator `with_sums` where no gradients are wanted."""

    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if with_sums is not None and not torch.is_grad_enabled():
            return with_sums(q, k, v)[0]
        with sdpa_kernel(backend):
            out = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return out.transpose(1, 2)

    return run


def cudnn_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] >= 8
        and shape.dtype in HALVES
        and shape.head_width % 8 == 0
        and shape.head_width <= 128
        and torch.backends.cudnn.is_available()
    )


def sdpa_flash_knows(shape: Shape) -> bool:
    if shape.device.type == "cpu":
        return shape.dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    return (
        shape.capability[0] >= 8
        and shape.dtype in HALVES
        and shape.head_width % 8 == 0
        and shape.head_width <= 256
        and torch.backends.cuda.is_flash_attention_available()
    )


def efficient_knows(shape: Shape) -> bool:
    # Without tensor cores for bfloat16 the kernel has no bfloat16 variant.
    known = (torch.float32, torch.float16, *((torch.bfloat16,) if shape.capability[0] >= 8 else ()))
    return shape.capability >= (5, 0) and shape.dtype in known and shape.head_width % 8 == 0


_math_backend = sdpa(SDPBackend.MATH)


def cudnn_with_sums(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    out, sums = torch.ops.aten._scaled_dot_product_cudnn_attention(q, k, v, None, True)[:2]
    return out.transpose(1, 2), sums.squeeze(-1)


def sdpa_flash_with_sums(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if q.device.type == "cpu":
        out, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v)
        sums = sums if sums.shape[1] == q.shape[1] else sums.transpose(1, 2)
    else:
        out, sums = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v)[:2]
    return out.transpose(1, 2), sums


def efficient_with_sums(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    queries = q.shape[1]
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    out, sums = torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, True)[:2]
    return out.transpose(1, 2), sums[..., :queries]


def math_with_sums(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """bias (Lk,): added to the scores, which are float32 at least."""
    batch, _, heads, width = q.shape
    exact = torch.promote_types(q.dtype, torch.float32)
    keys = k.permute(0, 2, 3, 1).to(exact)
    step = max(1, MATH_SCORES // (batch * heads * k.shape[1]))
    outs, sums = [], []
    for part in q.split(step, dim=1):
        scores = part.transpose(1, 2).to(exact) @ keys / sqrt(width)
        scores = scores if bias is None else scores + bias
        sums.append(scores.logsumexp(dim=-1))
        shares = (scores - sums[-1][..., None]).exp().to(v.dtype)
        outs.append((shares @ v.transpose(1, 2)).transpose(1, 2))
    return torch.cat(outs, dim=1), torch.cat(sums, dim=2)


def math(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """A few queries at a time, for it holds the whole matrix of their scores."""
    batch, queries, heads, _ = q.shape
    step = max(1, MATH_SCORES // (batch * heads * k.shape[1]))
    if step >= queries:
        return _math_backend(q, k, v)
    return torch.cat([_math_backend(part, k, v) for part in q.split(step, dim=1)], dim=1)


def flash_4_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] in (9, 10, 11)
        and shape.dtype in HALVES
        and shape.head_width in (64, 96, 128)
        and _installed("flash_attn.cute")
    )


@dataclass(frozen=True)
class FlashAttention:
    """A flash-attn. function: imports it. told: the argument by which it returns its sums as well, and maybe more."""

    function: Callable[[], Callable[..., Any]]
    told: str

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = self.function()(q, k, v)
        return out[0] if isinstance(out, tuple) else out

    def with_sums(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        out, sums = self.function()(q, k, v, **{self.told: True})[:2]
        return out, sums


@functools.cache
def _flash_4_function() -> Callable[..., Any]:
    from flash_attn.cute import flash_attn_func

    return flash_attn_func


def _flash_3_function() -> Callable[..., Any]:
    from flash_attn_interface import flash_attn_func

    return flash_attn_func


def _flash_2_function() -> Callable[..., Any]:
    from flash_attn import flash_attn_func

    return flash_attn_func


flash_4 = FlashAttention(_flash_4_function, "return_lse")
flash_3 = FlashAttention(_flash_3_function, "return_attn_probs")
flash_2 = FlashAttention(_flash_2_function, "return_attn_probs")


def flash_3_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] == 9
        and shape.dtype in HALVES
        and shape.head_width in (64, 96, 128, 256)
        and _installed("flash_attn_interface")
    )


def flash_2_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] >= 8
        and shape.dtype in HALVES
        and shape.head_width % 8 == 0
        and shape.head_width <= 256
        and _installed("flash_attn_2_cuda")
    )


def xformers_knows(shape: Shape) -> bool:
    return (
        shape.capability >= (7, 0)
        and not shape.gradients
        and shape.dtype in HALVES
        and shape.head_width % 8 == 0
        and shape.head_width <= 256
        and _installed("xformers")
    )


def xformers(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    from xformers.ops import memory_efficient_attention_forward

    return memory_efficient_attention_forward(q, k, v)


def xformers_with_sums(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    from xformers.ops import memory_efficient_attention_forward_requires_grad

    out, sums = memory_efficient_attention_forward_requires_grad(q, k, v)
    return out, sums[..., : q.shape[1]]


@functools.cache
def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
