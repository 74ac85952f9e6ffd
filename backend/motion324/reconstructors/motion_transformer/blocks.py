"""Holds the transformer's blocks. Letters: B batch, L tokens of a sequence, d width, H heads of width e, M keys.

A block takes the residual stream (B, L, d) in float32 together with the branch that its predecessor has computed but
not yet added, so that the addition and the LayerNorm that follows it are one pass over the memory.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from motion324.reconstructors.motion_transformer import fused
from motion324.reconstructors.motion_transformer.execution import Execution

NORM_EPS = 1e-5


class HeadNorm(nn.Module):
    """RMSNorm of each head of the queries or of the keys."""

    def __init__(self, head_width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(head_width))


class SelfAttention(nn.Module):
    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.head_width = head_width
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_norm = HeadNorm(head_width)
        self.k_norm = HeadNorm(head_width)
        self.fc = nn.Linear(width, width, bias=False)
        self.bounded = False

    def prepare_for_inference(self) -> None:
        """Looks whether the heads' norms bound the scores: a normalised head is at most sqrt(e) long before its
        weights."""
        largest = [float(norm.weight.detach().abs().max()) for norm in (self.q_norm, self.k_norm)]
        self.bounded = largest[0] * largest[1] * self.head_width**0.5 * math.log2(math.e) <= fused.MOST_SCORE

    def forward(
        self, x: Tensor, run: Execution, *, only: slice | None = None, log_counts: Tensor | None = None
    ) -> Tensor:
        """x (B, L, d) normalised -> (B, L, d).

        only: the tokens whose results are wanted; the others are still attended to.
        log_counts (R,): how often each of the first R tokens counts as a key, as a logarithm.
        """
        weight, heads = self.to_qkv.weight, (x.shape[-1] // self.head_width, self.head_width)
        if only is None:
            qkv = run.linear("queries, keys and values", x, weight).view(*x.shape[:2], 3, *heads)
            norms = torch.stack([self.q_norm.weight, self.k_norm.weight])
            q, k = fused.head_norm(qkv[:, :, :2].flatten(0, 1), norms).view(*x.shape[:2], 2, *heads).unbind(2)
            v = qkv[:, :, 2]
        else:
            width = x.shape[-1]
            q = run.linear("queries", x[:, only], weight[:width]).view(x.shape[0], -1, *heads)
            q = fused.head_norm(q.flatten(0, 1)[:, None], self.q_norm.weight[None]).view(q.shape)
            kv = run.linear("keys and values", x, weight[width:]).view(*x.shape[:2], 2, *heads)
            k = fused.head_norm(kv[:, :, :1].flatten(0, 1), self.k_norm.weight[None]).view(*x.shape[:2], *heads)
            v = kv[:, :, 1]
        attended = run.attend("attention", q, k, v, log_counts, self.bounded)
        return run.linear("attention's output", attended, self.fc.weight)


class CrossAttention(nn.Module):
    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.head_width = head_width
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.q_norm = HeadNorm(head_width)
        self.k_norm = HeadNorm(head_width)
        self.fc = nn.Linear(width, width, bias=False)

    def queries(self, x: Tensor, run: Execution) -> Tensor:
        """x (B, L, d) normalised -> (B, L, H, e)."""
        return self._heads(run.linear("queries", x, self.to_q.weight), self.q_norm)

    def keys_and_values(self, x: Tensor, run: Execution) -> tuple[Tensor, Tensor]:
        """x (B, M, d) normalised -> keys and values, each (B, M, H, e)."""
        keys = self._heads(run.linear("keys", x, self.to_k.weight), self.k_norm)
        values = run.linear("values", x, self.to_v.weight)
        return keys, values.view(*x.shape[:-1], -1, self.head_width)

    def _heads(self, x: Tensor, norm: HeadNorm) -> Tensor:
        heads = x.view(-1, 1, x.shape[-1] // self.head_width, self.head_width)
        return fused.head_norm(heads, norm.weight[None]).view(*x.shape[:-1], -1, self.head_width)


class Mlp(nn.Module):
    """Linear d -> 4d, GELU, Linear 4d -> d, without biases."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, hidden, bias=False), nn.GELU(), nn.Linear(hidden, width, bias=False))

    def forward(self, x: Tensor, run: Execution) -> Tensor:
        return run.mlp("MLP", x, self.mlp[0].weight, self.mlp[2].weight)


class SelfAttentionBlock(nn.Module):
    def __init__(self, width: int, head_width: int, mlp_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS, bias=False)
        self.attn = SelfAttention(width, head_width)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS, bias=False)
        self.mlp = Mlp(width, mlp_width)

    def forward(
        self,
        stream: Tensor,
        branch: Tensor | None,
        run: Execution,
        *,
        only: slice | None = None,
        log_counts: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """stream, branch (B, L, d) -> the stream and the branch still to be added to it.

        `only` and `log_counts` as for SelfAttention; with `only`, both results hold those tokens alone.
        """
        dtype = self.attn.to_qkv.weight.dtype
        stream, x = run.add_norm(stream, () if branch is None else (branch,), self.norm1, dtype)
        attended = self.attn(x, run, only=only, log_counts=log_counts)
        if only is not None:
            stream = stream[:, only]
        stream, x = run.add_norm(stream, (attended,), self.norm2, dtype)
        return stream, self.mlp(x, run)


class CrossAttentionBlock(nn.Module):
    def __init__(self, width: int, head_width: int, mlp_width: int) -> None:
        super().__init__()
        self.norm_q = nn.LayerNorm(width, eps=NORM_EPS, bias=False)
        self.norm_kv = nn.LayerNorm(width, eps=NORM_EPS, bias=False)
        self.attn = CrossAttention(width, head_width)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS, bias=False)
        self.mlp = Mlp(width, mlp_width)

    @property
    def dtype(self) -> torch.dtype:
        return self.attn.to_q.weight.dtype

    def queries(self, x: Tensor, run: Execution) -> Tensor:
        """x (B, L, d) -> (B, L, H, e)."""
        return self.attn.queries(run.add_norm(x, (), self.norm_q, self.dtype)[1], run)

    def keys_and_values(self, context: Tensor, run: Execution) -> tuple[Tensor, Tensor]:
        """context (B, M, d) -> keys and values, each (B, M, H, e)."""
        return self.attn.keys_and_values(run.add_norm(context, (), self.norm_kv, self.dtype)[1], run)

    def branches(
        self, x: Tensor, queries: Tensor, keys: Tensor, values: Tensor, run: Execution
    ) -> tuple[Tensor, Tensor]:
        """What the block adds to x: the attention's part and the MLP's, each (B, L, d).

        x (L, d) or (B, L, d); queries (B, L, H, e), where B may be repeated with the stride 0; keys, values
        (B, M, H, e). x itself is left as it is.
        """
        attended = run.attend("cross-attention", queries, keys, values)
        first = run.linear("cross-attention's output", attended, self.attn.fc.weight)
        weight, eps = self.norm2.weight, self.norm2.eps
        _, normed = fused.norm_of_sum(x, (first,), weight, None, eps, self.dtype, keep_sum=False)
        return first, self.mlp(normed, run)

    def forward(self, x: Tensor, context: Tensor, run: Execution) -> Tensor:
        """x (B, L, d), context (B, M, d) -> (B, L, d)."""
        first, second = self.branches(x, self.queries(x, run), *self.keys_and_values(context, run), run)
        return x + first + second
