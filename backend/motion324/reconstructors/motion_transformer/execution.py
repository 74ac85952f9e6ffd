"""Carries out a model's arithmetic: in pieces that fit the memory, paced, by the chosen kernels."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.motion_transformer import fused
from motion324.reconstructors.motion_transformer.attention import Attention
from motion324.reconstructors.motion_transformer.pace import Pace

log = logging.getLogger(__name__)

# Rows of a matrix product are cut in multiples of this, which keeps the multiprocessors evenly loaded.
ROW_ALIGNMENT = 256
QUERY_ALIGNMENT = 128
# Below this many rows a piece is not cut further when memory runs out.
FEWEST_ROWS = 256


class Execution:
    """Carries out the operations of the blocks. What they compute does not depend on it.

    A piece that does not fit the memory is cut in half and tried again, and that size is kept for its kind of work.
    """

    def __init__(self, attention: Attention, pace: Pace, *, tf32: bool = False) -> None:
        """tf32: products of float32 numbers on CUDA may round these to 10 bits of mantissa."""
        self.attention = attention
        self.pace = pace
        self.tf32 = tf32
        self.most_rows: dict[str, int] = {}

    @classmethod
    def plain(cls, device: torch.device) -> Execution:
        """Everything in one piece, differentiable, kernels chosen automatically: for training and for tests."""
        return cls(Attention("auto"), Pace(device, whole=True))

    def by_rows(
        self,
        kind: str,
        rows: int,
        flop_per_row: float,
        compute: Callable[[slice], None],
        align: int = ROW_ALIGNMENT,
        fewest: int = FEWEST_ROWS,
    ) -> None:
        """Calls compute(slice) for slices that cover range(rows). A call that runs out of memory is repeated.

        kind: names the work, for its remembered size. fewest: pieces are not cut below this many rows.
        Raises torch.OutOfMemoryError where the smallest piece fails.
        """
        done = 0
        while done < rows:
            first = done
            size = rows - done
            try:
                for piece in self.pace.pieces(rows - first, flop_per_row, self.most_rows.get(kind), align):
                    size = piece.stop - piece.start
                    compute(slice(first + piece.start, first + piece.stop))
                    done = first + piece.stop
            except torch.OutOfMemoryError:
                if size <= fewest or self.pace.whole:
                    raise
                self.make_room(kind, max(fewest, size // 2))

    def make_room(self, kind: str, rows: int) -> None:
        """Limits this kind of work to `rows` rows a piece from now on, and gives unused memory back."""
        self.most_rows[kind] = rows
        log.warning("Out of memory in '%s': going on with %d rows at a time.", kind, rows)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def linear(self, kind: str, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """x (..., d) -> (..., d'), in the weight's precision."""
        if torch.is_grad_enabled():
            return F.linear(x, weight, bias)
        flat = x.reshape(-1, x.shape[-1]).to(weight.dtype)
        out = torch.empty(flat.shape[0], weight.shape[0], dtype=weight.dtype, device=x.device)

        def compute(rows: slice) -> None:
            if bias is None:
                torch.mm(flat[rows], weight.T, out=out[rows])
            else:
                torch.addmm(bias, flat[rows], weight.T, out=out[rows])

        self.by_rows(kind, flat.shape[0], 2.0 * weight.numel(), compute)
        return out.view(*x.shape[:-1], weight.shape[0])

    def mlp(self, kind: str, x: Tensor, widen: Tensor, narrow: Tensor) -> Tensor:
        """x (..., d) -> GELU(x W1^T) W2^T (..., d); the hidden rows live for one piece only."""
        if torch.is_grad_enabled():
            return F.linear(fused.linear_gelu(x, widen), narrow)
        flat = x.reshape(-1, x.shape[-1]).to(widen.dtype)
        out = torch.empty(flat.shape[0], narrow.shape[0], dtype=narrow.dtype, device=x.device)

        def compute(rows: slice) -> None:
            torch.mm(fused.linear_gelu(flat[rows], widen), narrow.T, out=out[rows])

        self.by_rows(kind, flat.shape[0], 2.0 * (widen.numel() + narrow.numel()), compute)
        return out.view(*x.shape[:-1], narrow.shape[0])

    def attend(self, kind: str, q: Tensor, k: Tensor, v: Tensor, log_counts: Tensor | None = None) -> Tensor:
        """q (B, Lq, H, e), k and v (B, Lk, H, e) -> (B, Lq, H * e): cut along B, or along the queries where B is 1.

        log_counts (R,): how often each of the first R keys counts, as a logarithm; the others count once.
        """
        batch, queries, heads, width = q.shape
        if torch.is_grad_enabled():
            return self._attention(q, k, v, log_counts).flatten(2)
        along = 1 if batch == 1 else 0
        flop_per_row = 4.0 * k.shape[1] * heads * width * (1 if along else queries)
        parts: list[Tensor] = []

        def compute(rows: slice) -> None:
            if along:
                parts.append(self._attention(q[:, rows], k, v, log_counts))
            else:
                parts.append(self._attention(q[rows], k[rows], v[rows], log_counts))

        self.by_rows(kind, q.shape[along], flop_per_row, compute, QUERY_ALIGNMENT if along else 1)
        out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=along)
        return out.reshape(batch, queries, heads * width)

    def _attention(self, q: Tensor, k: Tensor, v: Tensor, log_counts: Tensor | None) -> Tensor:
        return self.attention(q, k, v) if log_counts is None else self.attention.counted(q, k, v, log_counts)

    def attend_float32(self, qkv: Tensor) -> Tensor:
        """As `attend`, in one piece, for qkv (B, L, 3, H, e) in float32; so is the result (B, L, H * e).

        Where TF32 is allowed the kernels get float16: it has the same 10 bits of mantissa as TF32, they still sum in
        float32, and they are several times faster than those for float32.
        """
        if self.tf32 and qkv.device.type == "cuda":
            return self.attention(*qkv.half().unbind(2)).flatten(2).float()
        return self.attention(*qkv.unbind(2)).flatten(2)

    def add_norm(
        self, stream: Tensor, branches: tuple[Tensor, ...], norm: torch.nn.LayerNorm, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """The residual stream (..., d) float32 with the branches added to it, and its LayerNorm in `dtype`."""
        return fused.norm_of_sum(stream, branches, norm.weight, norm.bias, norm.eps, dtype)
