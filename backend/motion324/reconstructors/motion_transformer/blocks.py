"""The transformer's blocks. Letters: B batch, L tokens of a sequence, d width, H heads of width e, M keys.

A block takes the residual stream (B, L, d) in float32 together with the branch that its predecessor has computed but
not yet added, so that the addition and the LayerNorm that follows it are one pass over the memory.
"""

from __future__ import annotations

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

    def forward(self, x: Tensor, run: Execution) -> Tensor:
        """x (B, L, d) normalised -> (B, L, d)."""
        batch, length, width = x.shape
        qkv = run.linear("queries, keys and values", x, self.to_qkv.weight)
        qkv = qkv.view(batch * length, 3, width // self.head_width, self.head_width)
        weights = torch.stack([self.q_norm.weight, self.k_norm.weight])
        qk = fused.head_norm(qkv[:, :2], weights).view(batch, length, 2, -1, self.head_width)
        v = qkv[:, 2].view(batch, length, -1, self.head_width)
        attended = run.attend("attention", qk[:, :, 0], qk[:, :, 1], v)
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

    def forward(self, stream: Tensor, branch: Tensor | None, run: Execution) -> tuple[Tensor, Tensor]:
        """stream, branch (B, L, d) -> the stream and the branch still to be added to it."""
        dtype = self.attn.to_qkv.weight.dtype
        stream, x = run.add_norm(stream, () if branch is None else (branch,), self.norm1, dtype)
        stream, x = run.add_norm(stream, (self.attn(x, run),), self.norm2, dtype)
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
