"""Has operations that are one kernel on CUDA where Triton works, and a few PyTorch calls (their plain twins) elsewhere.

The twins define what is computed; autograd goes through them. The fused forms agree with them to rounding.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from motion324.reconstructors.motion_transformer.attention_backends import Shape

log = logging.getLogger(__name__)

HEAD_NORM_EPS = 1e-5
FEW_KEYS = 128
# How the work is dealt out, as measured on Hopper: (rows, tiles of rows a program, warps, stages of loading ahead) for
# few_keys_kernel, and (repeats at once, warps) for norm_of_sum_kernel.
FEW_KEYS_TILES = (64, 8, 4, 3)
NORM_TILES = (2, 4)
# (queries, keys, warps, stages of loading ahead) of bounded_kernel.
BOUNDED_TILES = (128, 64, 8, 3)
# Scores times log2(e) that bounded_kernel may meet: the sums of a million exponentials stay below float32's 2^127.
MOST_SCORE = 100.0


# --- plain twins ------------------------------------------------------------------------------------------------------


def norm_of_sum_plain(
    base: Tensor, branches: tuple[Tensor, ...], weight: Tensor, bias: Tensor | None, eps: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The sum of base and branches in float32, and its LayerNorm in `dtype`."""
    total = base.float() if base.dtype in (torch.float16, torch.bfloat16) else base
    for branch in branches:
        total = total + branch
    return total, F.layer_norm(total, weight.shape, weight, bias, eps).to(dtype)


def head_norm_plain(x: Tensor, weight: Tensor) -> Tensor:
    """x (..., H, e) over the root mean square of each head, in float32, times weight (e,)."""
    value = x.float() if x.dtype != torch.float64 else x
    value = value * torch.rsqrt(value.square().mean(dim=-1, keepdim=True) + HEAD_NORM_EPS)
    return (value * weight).to(x.dtype)


def project_to_three_plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (..., d) by weight (3, d) and bias (3,), in the weight's precision."""
    return F.linear(x.to(weight.dtype), weight, bias)


# --- fused forms ------------------------------------------------------------------------------------------------------


def norm_of_sum(
    base: Tensor,
    branches: tuple[Tensor, ...],
    weight: Tensor,
    bias: Tensor | None,
    eps: float,
    dtype: torch.dtype,
    *,
    keep_sum: bool = True,
) -> tuple[Tensor, Tensor]:
    """base (..., d) float32 plus up to two branches of its shape -> (sum float32, LayerNorm of it in `dtype`).

    The branches may have more leading axes than base, which is then repeated along them. Without gradients the sum may
    take base's place in memory; with keep_sum=False the first value returned has no meaning.
    """
    if not _use_fused(base) or len(branches) > 2:
        return norm_of_sum_plain(base, branches, weight, bias, eps, dtype)
    from motion324.reconstructors.motion_transformer.triton_kernels import norm_of_sum_kernel

    width = base.shape[-1]
    shape = branches[0].shape if branches else base.shape
    base = base.contiguous()
    base_rows = base.numel() // width
    repeats = math.prod(shape[:-1]) // base_rows
    first, second = (*(branch.contiguous() for branch in branches), base, base)[:2]
    keep = keep_sum and bool(branches)
    in_place = shape == base.shape and base.dtype == torch.float32
    total = base if in_place or not keep else torch.empty(shape, dtype=torch.float32, device=base.device)
    out = torch.empty(shape, dtype=dtype, device=base.device)
    at_once, warps = NORM_TILES if repeats > 1 else (1, 1)
    with torch.cuda.device(base.device):
        norm_of_sum_kernel[(base_rows,)](
            base,
            first,
            second,
            total,
            out,
            weight,
            weight if bias is None else bias,
            base_rows,
            repeats,
            width,
            eps,
            HAS_FIRST=len(branches) > 0,
            HAS_SECOND=len(branches) > 1,
            HAS_BIAS=bias is not None,
            KEEP_SUM=keep,
            REPEATS=at_once,
            BLOCK=_power_of_two(width),
            num_warps=warps,
        )
    return total, out


def head_norm(x: Tensor, weights: Tensor) -> Tensor:
    """RMSNorm of each head. x (rows, G, H, e), weights (G, e): one for the queries, one for the keys, say.

    Without gradients x may be overwritten: rows of x may have any stride, the rest of it is contiguous.
    """
    if not _use_fused(x):
        return head_norm_plain(x, weights[:, None, :])
    from motion324.reconstructors.motion_transformer.triton_kernels import head_norm_kernel

    rows, groups, heads, width = x.shape
    if x.stride()[1:] != (heads * width, width, 1):
        x = x.contiguous()
    with torch.cuda.device(x.device):
        head_norm_kernel[(rows,)](
            x,
            weights,
            x.stride(0),
            groups * heads,
            heads,
            width,
            HEAD_NORM_EPS,
            HEADS=_power_of_two(groups * heads),
            WIDTH=_power_of_two(width),
            num_warps=4,
        )
    return x


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """GELU(x W^T + b), x (rows, d).

    In half precision on CUDA the GELU runs inside the matrix product, in its tanh form, which differs from the exact
    one by less than 5e-4, an eighth of the rounding of bfloat16 where that difference is greatest.
    """
    if x.device.type == "cuda" and x.dtype in (torch.float16, torch.bfloat16) and not torch.is_grad_enabled():
        if bias is None:
            bias = _zeros(weight.shape[0], weight.dtype, weight.device)
        return torch._addmm_activation(bias, x, weight.T, use_gelu=True)
    return F.gelu(F.linear(x, weight, bias))


def project_to_three(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (rows, d) -> (rows, 3) float32."""
    if not _use_fused(x) or weight.shape[0] != 3 or not x.is_contiguous():
        return project_to_three_plain(x, weight, bias)
    from motion324.reconstructors.motion_transformer.triton_kernels import project_to_three_kernel

    rows, width = x.shape
    out = torch.empty(rows, 3, dtype=torch.float32, device=x.device)
    block_rows = 64
    with torch.cuda.device(x.device):
        project_to_three_kernel[(-(-rows // block_rows),)](
            x, weight, bias, out, rows, WIDTH=width, ROWS=block_rows, BLOCK=128, num_warps=8
        )
    return out


def few_keys_knows(shape: Shape) -> bool:
    return (
        shape.capability >= (8, 0)
        and shape.dtype in (torch.float16, torch.bfloat16)
        and shape.keys <= FEW_KEYS
        and shape.queries >= 128
        and shape.head_width in (16, 32, 64, 128)
        and not shape.gradients
        and triton_works()
    )


def few_keys_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of many queries over at most FEW_KEYS keys: bound by reading q and writing the result.

    q (B, Lq, H, e), k and v (B, Lk, H, e) -> (B, Lq, H, e); q may have the stride 0 along B.
    """
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    _few_keys(q, k, v, out, None, None)
    return out


def mix_in_counted_keys(out: Tensor, many_sums: Tensor, q: Tensor, k: Tensor, v: Tensor, log_counts: Tensor) -> None:
    """Adds at most FEW_KEYS keys to what an attention over others has given, in place; key r counts exp(log_counts[r])
    times.

    out (B, Lq, H, e): the attention's result; many_sums (B, H, Lq) float32: the logarithms of the sums of its
    exponentials; q, k, v as for `few_keys_attention`.
    """
    _few_keys(q, k, v, out, log_counts.float().contiguous(), many_sums.float().contiguous())


def _few_keys(
    q: Tensor, k: Tensor, v: Tensor, out: Tensor, log_counts: Tensor | None, many_sums: Tensor | None
) -> None:
    from motion324.reconstructors.motion_transformer.triton_kernels import few_keys_kernel

    batch, queries, heads, width = q.shape
    rows, tiles, warps, stages = FEW_KEYS_TILES
    with torch.cuda.device(q.device):
        few_keys_kernel[(-(-queries // (rows * tiles)), heads, batch)](
            q,
            k,
            v,
            out,
            q if log_counts is None else log_counts,
            q if many_sums is None else many_sums,
            *q.stride()[:3],
            *k.stride()[:3],
            *v.stride()[:3],
            *out.stride()[:3],
            queries,
            k.shape[1],
            heads,
            math.log2(math.e) / math.sqrt(width),
            COUNTED=log_counts is not None,
            WIDTH=width,
            KEYS=max(16, _power_of_two(k.shape[1])),
            ROWS=rows,
            TILES=tiles,
            num_warps=warps,
            num_stages=stages,
        )


def bounded_knows(shape: Shape) -> bool:
    """In bfloat16 only, whose exponents reach as far as those of float32."""
    return (
        shape.bounded
        and shape.capability >= (8, 0)
        and shape.dtype == torch.bfloat16
        and shape.head_width in (32, 64, 128)
        and not shape.gradients
        and triton_works()
    )


def bounded_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention whose scores over sqrt(e), times log2(e), are known to lie within MOST_SCORE of 0.

    q (B, Lq, H, e), k and v (B, Lk, H, e) -> (B, Lq, H, e).
    """
    return _bounded(q, k, v, None)


def bounded_with_sums(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Also the logarithms (B, H, Lq) float32 of the sums of the exponentials of the scores."""
    sums = torch.empty(q.shape[0], q.shape[2], q.shape[1], dtype=torch.float32, device=q.device)
    return _bounded(q, k, v, sums), sums


def _bounded(q: Tensor, k: Tensor, v: Tensor, sums: Tensor | None) -> Tensor:
    from motion324.reconstructors.motion_transformer.triton_kernels import bounded_kernel

    batch, queries, heads, width = q.shape
    rows, keys, warps, stages = BOUNDED_TILES
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    with torch.cuda.device(q.device):
        bounded_kernel[(-(-queries // rows), heads, batch)](
            q,
            k,
            v,
            out,
            out if sums is None else sums,
            *q.stride()[:3],
            *k.stride()[:3],
            *v.stride()[:3],
            *out.stride()[:3],
            queries,
            k.shape[1],
            heads,
            math.log2(math.e) / math.sqrt(width),
            SUMS=sums is not None,
            WIDTH=width,
            ROWS=rows,
            KEYS=keys,
            STAGES=stages,
            num_warps=warps,
        )
    return out


# --- choice -----------------------------------------------------------------------------------------------------------


@functools.cache
def triton_works() -> bool:
    """Whether Triton is installed and can compile a kernel here (it needs a C compiler and a GPU that it knows)."""
    if not torch.cuda.is_available() or importlib.util.find_spec("triton") is None:
        return False
    try:
        x = torch.randn(2, 1, 1, 16, device="cuda")
        expected = head_norm_plain(x, torch.ones(1, 16, device="cuda")[:, None, :])
        from motion324.reconstructors.motion_transformer.triton_kernels import head_norm_kernel

        head_norm_kernel[(2,)](x, torch.ones(1, 16, device="cuda"), 16, 1, 1, 16, HEAD_NORM_EPS, HEADS=1, WIDTH=16)
        works = torch.allclose(x, expected, atol=1e-5)
    except Exception as error:  # Triton and the C compiler behind it fail in many ways, all of which mean "no"
        log.warning("Triton is installed but cannot be used, so plain kernels are: %s", str(error)[:200])
        return False
    return works


def _use_fused(x: Tensor) -> bool:
    return x.device.type == "cuda" and not torch.is_grad_enabled() and x.dtype != torch.float64 and triton_works()


@functools.cache
def _zeros(count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.zeros(count, dtype=dtype, device=device)


def _power_of_two(number: int) -> int:
    return 1 << max(0, (number - 1).bit_length())
