"""Holds the parts that learn in the node model: its encoder of frames, and one round's transformer.

The encoder is a small convolutional one, with features at strides 4 (for matching), 8 and 16. In a round nodes look at
their frame, at one another and over time. Letters: see model.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion324.reconstructors.node_model.config import NodeModelConfig

FRAME_CHANNELS = 4  # the cut-out's red, green, blue on black, and the mask
SLOWEST_TURN = 100.0  # frames; the longest period over 2 pi of the rotary time codes


class FrameEncoder(nn.Module):
    def __init__(self, config: NodeModelConfig) -> None:
        super().__init__()
        c2, c4, c8, c16 = config.channels
        self.stem = nn.Conv2d(FRAME_CHANNELS, c2, 7, stride=2, padding=3)
        self.stage4 = _stage(c2, c4)
        self.stage8 = _stage(c4, c8)
        self.stage16 = _stage(c8, c16)
        self.match4 = nn.Conv2d(c4, config.match_width, 1)
        self.match8 = nn.Conv2d(c8, config.match_width, 1)
        self.match16 = nn.Conv2d(c16, config.match_width, 1)
        self.match = nn.Conv2d(config.match_width, config.match_width, 3, padding=1)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """frames (N, 4, S, S) in 0..1 -> features at stride 4 (N, match, ., .), 8 (N, c8, ., .), 16 (N, c16, ., .)."""
        at4 = self.stage4(F.gelu(self.stem(2 * frames - 1)))
        at8 = self.stage8(at4)
        at16 = self.stage16(at8)
        coarse = self.match8(at8) + F.interpolate(self.match16(at16), scale_factor=2.0, mode="nearest")
        merged = self.match4(at4) + F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.match(F.gelu(merged)), at8, at16


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(F.gelu(self.norm1(x)))
        result: Tensor = x + self.conv2(F.gelu(self.norm2(inner)))
        return result


def _stage(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), ResidualBlock(after), ResidualBlock(after))


def cut_out_on_black(frames: Tensor, masks: Tensor) -> Tensor:
    """frames (..., 3, S, S), masks (..., 1, S, S), both 0..1 -> (..., 4, S, S), what the encoder sees."""
    return torch.cat([frames * masks, masks], dim=-3)


class Attention(nn.Module):
    """Multi-head attention from x (N, L, d) to memory (N, M, d), each normalised here or, for memory, beforehand."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.head_width = head_width
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor | None = None, turns: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """turns: cosines and sines (N, 1, L, head_width / 2) of rotary codes, for attention over time."""
        x = self.norm(x)
        memory = x if memory is None else memory
        q = self.to_q(x).unflatten(-1, (-1, self.head_width)).transpose(1, 2)
        k, v = self.to_kv(memory).chunk(2, dim=-1)
        k = k.unflatten(-1, (-1, self.head_width)).transpose(1, 2)
        v = v.unflatten(-1, (-1, self.head_width)).transpose(1, 2)
        if turns is not None:
            q, k = _turn(q, *turns), _turn(k, *turns)
        attended = F.scaled_dot_product_attention(q, k, v)
        result: Tensor = self.out(attended.transpose(1, 2).flatten(-2))
        return result


class RoundBlock(nn.Module):
    def __init__(self, config: NodeModelConfig, seen_width: int) -> None:
        super().__init__()
        width = config.width
        self.seen = nn.Linear(seen_width, width)
        self.to_frame = Attention(width, config.head_width)
        self.among_nodes = Attention(width, config.head_width)
        self.over_time = Attention(width, config.head_width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, config.mlp_width), nn.GELU(), nn.Linear(config.mlp_width, width)
        )
        self.head_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 9)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self, tokens: Tensor, seen: Tensor, patches: Tensor, turns: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """tokens (B, T, K, d), seen (B, T, K, s), patches (B * T, M, d) -> tokens, corrections (B, T, K, 9)."""
        b, t, k, d = tokens.shape
        x = (tokens + self.seen(seen)).reshape(b * t, k, d)
        x = x + self.to_frame(x, patches)
        x = x + self.among_nodes(x)
        x = x.reshape(b, t, k, d).transpose(1, 2).reshape(b * k, t, d)
        x = x + self.over_time(x, turns=turns)
        x = x + self.mlp(x)
        x = x.reshape(b, k, t, d).transpose(1, 2).contiguous()  # as the next round gets them: compiled once for all
        return x, self.head(self.head_norm(x))


def time_turns(times: Tensor, nodes: int, head_width: int) -> tuple[Tensor, Tensor]:
    """times (B, T) in frames -> cosines and sines (B * K, 1, T, head_width / 2) of rotary position codes.

    Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.
    """
    half = head_width // 2
    exponents = torch.arange(half, device=times.device, dtype=torch.float32) / half
    angles = times.float()[:, None, :, None] * SLOWEST_TURN**-exponents  # (B, 1, T, half)
    angles = angles[:, None].expand(-1, nodes, -1, -1, -1).flatten(0, 1)
    return angles.cos(), angles.sin()


def _turn(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    cosines, sines = cosines.to(x.dtype), sines.to(x.dtype)
    return torch.cat([a * cosines - b * sines, a * sines + b * cosines], dim=-1)
