"""Attention kernels from packages of their own: flash-attn in its three generations, and xformers.

Each `..._knows` tells whether the package is installed and may do a shape; whether its build runs here is tried later.
Each `..._with_sums` also returns the logarithms (B, H, Lq) of the sums of the exponentials of the scores.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable

from torch import Tensor

from motion324.reconstructors.motion_transformer.attention_shape import HALVES, Shape


def flash_4_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] in (9, 10, 11)
        and shape.dtype in HALVES
        and shape.head_width in (64, 96, 128)
        and _installed("flash_attn.cute")
    )


@functools.cache
def _flash_4_function() -> Callable[..., Tensor]:
    from flash_attn.cute import flash_attn_func

    return flash_attn_func


def flash_4(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = _flash_4_function()(q, k, v)
    return out[0] if isinstance(out, tuple) else out


def flash_4_with_sums(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    out, sums = _flash_4_function()(q, k, v, return_lse=True)[:2]
    return out, sums


def flash_3_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] == 9
        and shape.dtype in HALVES
        and shape.head_width in (64, 96, 128, 256)
        and _installed("flash_attn_interface")
    )


def flash_3(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    from flash_attn_interface import flash_attn_func

    out = flash_attn_func(q, k, v)
    return out[0] if isinstance(out, tuple) else out


def flash_3_with_sums(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    from flash_attn_interface import flash_attn_func

    out, sums = flash_attn_func(q, k, v, return_attn_probs=True)[:2]
    return out, sums


def flash_2_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] >= 8
        and shape.dtype in HALVES
        and shape.head_width % 8 == 0
        and shape.head_width <= 256
        and _installed("flash_attn_2_cuda")
    )


def flash_2(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    from flash_attn import flash_attn_func

    return flash_attn_func(q, k, v)


def flash_2_with_sums(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    from flash_attn import flash_attn_func

    out, sums = flash_attn_func(q, k, v, return_attn_probs=True)[:2]
    return out, sums


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
