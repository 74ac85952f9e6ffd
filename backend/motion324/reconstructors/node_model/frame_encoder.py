"""A small convolutional encoder of frames, with features at strides 4 (for matching), 8 and 16."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion324.reconstructors.node_model.config import NodeModelConfig

FRAME_CHANNELS = 4  # the cut-out's red, green, blue on black, and the mask


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
