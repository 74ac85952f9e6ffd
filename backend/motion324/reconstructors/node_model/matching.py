"""Comparing what a node looked like in the reference frame with where it may be in another frame.

After Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", 2020: all similarities once, then
a look at a small neighbourhood of the current guess, at several scales.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_at(features: Tensor, places: Tensor) -> Tensor:
    """features (N, C, h, w), places (N, K, 2) in -1..1 -> (N, K, C) bilinear, float32, zero outside the frame."""
    sampled = F.grid_sample(features.float(), places.float()[:, None], mode="bilinear", align_corners=False)
    return sampled[:, :, 0].transpose(1, 2)


def similarity_pyramid(maps: Tensor, references: Tensor, levels: int) -> list[Tensor]:
    """maps (B, T, C, h, w), references (B, K, C), or (B, T, K, C) where every frame has its own -> per level
    (B * T * K, 1, h / 2^l, w / 2^l) float32.

    Since pooling is linear, pooled similarities are similarities of pooled features.
    """
    h, w = maps.shape[-2:]
    scale = maps.shape[2] ** -0.5
    references = references[:, None] if references.dim() == 3 else references
    similar = references @ maps.flatten(3) * scale  # (B, T, K, h * w)
    level = similar.float().reshape(-1, 1, h, w)
    pyramid = [level]
    for _ in range(levels - 1):
        level = F.avg_pool2d(level, 2)
        pyramid.append(level)
    return pyramid


def look_around(pyramid: list[Tensor], places: Tensor, radius: int) -> Tensor:
    """The similarities around a guess. places (B, T, K, 2) in -1..1 -> (B, T, K, levels * (2 radius + 1)^2)."""
    side = 2 * radius + 1
    steps = torch.arange(-radius, radius + 1, device=places.device, dtype=places.dtype)
    window = torch.stack([steps.view(1, side).expand(side, side), steps.view(side, 1).expand(side, side)], dim=-1)
    looked = []
    for level in pyramid:
        cell = 2.0 / level.shape[-1]
        grid = places.reshape(-1, 1, 1, 2) + cell * window
        looked.append(F.grid_sample(level, grid, mode="bilinear", align_corners=False).flatten(1))
    return torch.cat(looked, dim=-1).unflatten(0, places.shape[:3])
