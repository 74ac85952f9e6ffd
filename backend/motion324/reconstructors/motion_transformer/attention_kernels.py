"""The attention kernels that a machine may have, each behind the same call.

Every kernel computes softmax(q k^T / sqrt(e)) v for q (B, Lq, H, e), k and v (B, Lk, H, e), and returns (B, Lq, H, e).
B batch, L length, H heads, e head width. The last axis of each tensor is contiguous; the others may have any strides.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from motion324.reconstructors.motion_transformer import fused

log = logging.getLogger(__name__)

HALVES = (torch.float16, torch.bfloat16)
MATH_SCORES = 1 << 26  # numbers in the score matrix of one step of the "math" kernel: 256 MB in float32


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


@dataclass(frozen=True)
class Kernel:
    """name: as `--attention` knows it. family: what "--attention FAMILY" also selects it by.

    tried: whether it comes from a package of its own, whose build may not fit this PyTorch or this GPU; such a kernel
    supports a shape only after it has run on a small one of that kind.
    """

    name: str
    family: str
    knows: Callable[[Shape], bool]
    run: Callable[[Tensor, Tensor, Tensor], Tensor]
    tried: bool = False

    def supports(self, shape: Shape) -> bool:
        if not self.knows(shape):
            return False
        return not self.tried or _runs(self.name, shape.device, shape.dtype, shape.head_width)


@functools.cache
def _runs(name: str, device: torch.device, dtype: torch.dtype, head_width: int) -> bool:
    probe = torch.zeros(1, 128, 1, head_width, device=device, dtype=dtype)
    try:
        with torch.no_grad():
            KERNELS[name].run(probe, probe, probe)
            torch.cuda.synchronize(device)
    except Exception as error:  # foreign builds fail in any way: missing symbols, wrong versions, failed assertions
        log.warning("Attention kernel %s is installed but does not run here: %s", name, first_line(error))
        return False
    return True


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


# --- flash-attn: three generations, each a package of its own ---------------------------------------------------------


def _flash_4_knows(shape: Shape) -> bool:
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


def _flash_4(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = _flash_4_function()(q, k, v)
    return out[0] if isinstance(out, tuple) else out


def _flash_3_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] == 9
        and shape.dtype in HALVES
        and shape.head_width in (64, 96, 128, 256)
        and _installed("flash_attn_interface")
    )


def _flash_3(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    from flash_attn_interface import flash_attn_func

    out = flash_attn_func(q, k, v)
    return out[0] if isinstance(out, tuple) else out


def _flash_2_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] >= 8
        and shape.dtype in HALVES
        and shape.head_width % 8 == 0
        and shape.head_width <= 256
        and _installed("flash_attn_2_cuda")
    )


def _flash_2(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    from flash_attn import flash_attn_func

    return flash_attn_func(q, k, v)


# --- xformers ---------------------------------------------------------------------------------------------------------


def _xformers_knows(shape: Shape) -> bool:
    return (
        shape.capability >= (7, 0)
        and not shape.gradients
        and shape.dtype in HALVES
        and shape.head_width % 8 == 0
        and shape.head_width <= 256
        and _installed("xformers")
    )


def _xformers(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    from xformers.ops import memory_efficient_attention_forward

    return memory_efficient_attention_forward(q, k, v)


# --- PyTorch's scaled_dot_product_attention ---------------------------------------------------------------------------


def _sdpa(backend: SDPBackend) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with sdpa_kernel(backend):
            out = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return out.transpose(1, 2)

    return run


def _cudnn_knows(shape: Shape) -> bool:
    return (
        shape.capability[0] >= 8
        and shape.dtype in HALVES
        and shape.head_width % 8 == 0
        and shape.head_width <= 128
        and torch.backends.cudnn.is_available()
    )


def _sdpa_flash_knows(shape: Shape) -> bool:
    if shape.device.type == "cpu":
        return shape.dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    return (
        shape.capability[0] >= 8
        and shape.dtype in HALVES
        and shape.head_width % 8 == 0
        and shape.head_width <= 256
        and torch.backends.cuda.is_flash_attention_available()
    )


def _efficient_knows(shape: Shape) -> bool:
    # Without tensor cores for bfloat16 the kernel has no bfloat16 variant.
    known = (torch.float32, torch.float16, *((torch.bfloat16,) if shape.capability[0] >= 8 else ()))
    return shape.capability >= (5, 0) and shape.dtype in known and shape.head_width % 8 == 0


_math_backend = _sdpa(SDPBackend.MATH)


def _math(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """A few queries at a time, for it holds the whole matrix of their scores."""
    batch, queries, heads, _ = q.shape
    step = max(1, MATH_SCORES // (batch * heads * k.shape[1]))
    if step >= queries:
        return _math_backend(q, k, v)
    return torch.cat([_math_backend(part, k, v) for part in q.split(step, dim=1)], dim=1)


def shape_of(q: Tensor, k: Tensor) -> Shape:
    gradients = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad)
    batch, queries, heads, head_width = q.shape
    return Shape(q.device, q.dtype, batch, queries, k.shape[1], heads, head_width, gradients)


KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        Kernel("few-keys", "few-keys", fused.few_keys_knows, fused.few_keys_attention),
        Kernel("flash-attn-4", "flash-attn", _flash_4_knows, _flash_4, tried=True),
        Kernel("flash-attn-3", "flash-attn", _flash_3_knows, _flash_3, tried=True),
        Kernel("flash-attn-2", "flash-attn", _flash_2_knows, _flash_2, tried=True),
        Kernel("xformers", "xformers", _xformers_knows, _xformers, tried=True),
        Kernel("cudnn", "sdpa", _cudnn_knows, _sdpa(SDPBackend.CUDNN_ATTENTION)),
        Kernel("flash", "sdpa", _sdpa_flash_knows, _sdpa(SDPBackend.FLASH_ATTENTION)),
        Kernel("efficient", "sdpa", _efficient_knows, _sdpa(SDPBackend.EFFICIENT_ATTENTION)),
        Kernel("math", "sdpa", lambda shape: True, _math),
    )
}
