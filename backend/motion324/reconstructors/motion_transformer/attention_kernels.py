"""Lists the attention kernels that a machine may have, each behind the same call.

Every kernel computes softmax(q k^T / sqrt(e)) v for q (B, Lq, H, e), k and v (B, Lk, H, e), and returns (B, Lq, H, e).
B batch, L length, H heads, e head width. The last axis of each tensor is contiguous; the others may have any strides.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend

from motion324.reconstructors.motion_transformer import attention_backends as backends
from motion324.reconstructors.motion_transformer import fused
from motion324.reconstructors.motion_transformer.attention_backends import Shape, shape_of

log = logging.getLogger(__name__)

WithSums = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
MIXED_QUERIES = 1 << 14


@dataclass(frozen=True)
class Kernel:
    """name: as `--attention` knows it. family: what "--attention FAMILY" also selects it by.

    with_sums: as `run`, but also the logarithms (B, H, Lq) float32 of the sums of the exponentials of the scores.
    tried: whether it comes from a package of its own, or is compiled here, and may not fit this PyTorch or this GPU; it
    then supports a shape only after it has computed a small one of that kind rightly.
    """

    name: str
    family: str
    knows: Callable[[Shape], bool]
    run: Callable[[Tensor, Tensor, Tensor], Tensor]
    with_sums: WithSums | None = None
    tried: bool = False

    def supports(self, shape: Shape) -> bool:
        if not self.knows(shape):
            return False
        return not self.tried or _runs(self.name, shape.device, shape.dtype, shape.head_width)

    def gives_sums(self, shape: Shape) -> bool:
        return (
            self.with_sums is not None
            and self.supports(shape)
            and _sums_agree(self.name, shape.device, shape.dtype, shape.head_width)
        )


@functools.cache
def _sums_agree(name: str, device: torch.device, dtype: torch.dtype, head_width: int) -> bool:
    """Whether the sums that a kernel returns besides its result have the form that is expected here."""
    with_sums = KERNELS[name].with_sums
    assert with_sums is not None
    probe = _probe(device, dtype, head_width)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, sums = with_sums(probe, probe, probe)
            _, expected = backends.math_with_sums(probe, probe, probe)
            return sums.shape == expected.shape and torch.allclose(sums, expected, atol=0.05)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # private operators, whose form may change with PyTorch's version
        log.warning("Attention kernel %s gives no sums of its scores: %s", name, first_line(error))
        return False


@functools.cache
def _runs(name: str, device: torch.device, dtype: torch.dtype, head_width: int) -> bool:
    probe = _probe(device, dtype, head_width)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what packages say while they compile is nothing that a user can act on
            found, expected = KERNELS[name].run(probe, probe, probe), backends.math(probe, probe, probe)
            if not torch.allclose(found.float(), expected.float(), atol=0.05):
                log.warning("Attention kernel %s computes something else here and is not used.", name)
                return False
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # foreign builds fail in any way: missing symbols, wrong versions, failed assertions
        log.warning("Attention kernel %s is installed but does not run here: %s", name, first_line(error))
        return False
    return True


def _probe(device: torch.device, dtype: torch.dtype, head_width: int) -> Tensor:
    return torch.linspace(-2, 2, 130 * head_width, device=device).cos().view(1, 130, 1, head_width).to(dtype)


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def counted(with_sums: WithSums, q: Tensor, k: Tensor, v: Tensor, log_counts: Tensor) -> Tensor:
    """Attention in which the key r counts exp(log_counts[r]) times for r < R, the others once.

    The kernel does the keys that count once, plain arithmetic the R others, and the sums of both say how to mix them.
    """
    some = len(log_counts)
    out, many_sums = with_sums(q, k[:, some:], v[:, some:])
    if fused.few_keys_knows(dataclasses.replace(shape_of(q, k), keys=some)):
        fused.mix_in_counted_keys(out, many_sums, q, k[:, :some], v[:, :some], log_counts)
        return out
    for start in range(0, q.shape[1], MIXED_QUERIES):
        rows = slice(start, start + MIXED_QUERIES)
        few, few_sums = backends.math_with_sums(q[:, rows], k[:, :some], v[:, :some], log_counts)
        share = torch.sigmoid(few_sums - many_sums[..., rows]).transpose(1, 2)[..., None]
        out[:, rows] = torch.lerp(out[:, rows].to(share.dtype), few.to(share.dtype), share).to(out.dtype)
    return out


KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        Kernel("few-keys", "few-keys", fused.few_keys_knows, fused.few_keys_attention),
        Kernel("bounded", "bounded", fused.bounded_knows, fused.bounded_attention, fused.bounded_with_sums, tried=True),
        Kernel(
            "flash-attn-4",
            "flash-attn",
            backends.flash_4_knows,
            backends.flash_4,
            backends.flash_4.with_sums,
            tried=True,
        ),
        Kernel(
            "flash-attn-3",
            "flash-attn",
            backends.flash_3_knows,
            backends.flash_3,
            backends.flash_3.with_sums,
            tried=True,
        ),
        Kernel(
            "flash-attn-2",
            "flash-attn",
            backends.flash_2_knows,
            backends.flash_2,
            backends.flash_2.with_sums,
            tried=True,
        ),
        Kernel(
            "xformers",
            "xformers",
            backends.xformers_knows,
            backends.xformers,
            backends.xformers_with_sums,
            tried=True,
        ),
        Kernel(
            "cudnn",
            "sdpa",
            backends.cudnn_knows,
            backends.sdpa(SDPBackend.CUDNN_ATTENTION, backends.cudnn_with_sums),
            backends.cudnn_with_sums,
        ),
        Kernel(
            "flash",
            "sdpa",
            backends.sdpa_flash_knows,
            backends.sdpa(SDPBackend.FLASH_ATTENTION, backends.sdpa_flash_with_sums),
            backends.sdpa_flash_with_sums,
        ),
        Kernel(
            "efficient",
            "sdpa",
            backends.efficient_knows,
            backends.sdpa(SDPBackend.EFFICIENT_ATTENTION, backends.efficient_with_sums),
            backends.efficient_with_sums,
        ),
        Kernel("math", "sdpa", lambda shape: True, backends.math, backends.math_with_sums),
    )
}
