"""Computes the node model's geometry in PyTorch, and compares what a node looked like in the reference frame with where
it may be in another frame.

The comparison is after Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", 2020: all
similarities once, then a look at a small neighbourhood of the current guess, at several scales. Letters: B clips, T
frames, K nodes, P points, and `...` any axes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def fourier_codes(x: Tensor, octaves: int) -> Tensor:
    """x (..., C) -> (..., C * (1 + 2 * octaves)): x itself, then sines and cosines at pi, 2 pi, 4 pi... ."""
    frequencies = math.pi * 2.0 ** torch.arange(octaves, device=x.device, dtype=x.dtype)
    angles = (x[..., None] * frequencies).flatten(-2)
    return torch.cat([x, angles.sin(), angles.cos()], dim=-1)


def project(points: Tensor, camera: Tensor) -> Tensor:
    """points (B, ..., 3) in camera space, camera (B, 3): focal, centre x, centre y -> (B, ..., 2) in -1..1.

    The focal length and the centre are in units of the frame's side; -1 and 1 are the frame's borders, as
    grid_sample(align_corners=False) has them.
    """
    shape = (camera.shape[0],) + (1,) * (points.dim() - 2)
    focal, centre = camera[:, 0].view(*shape, 1), camera[:, 1:].view(*shape, 2)
    depth = points[..., 2:].clamp(min=1e-2)
    return 2 * (focal * points[..., :2] / depth + centre) - 1


def ray_axes(points: Tensor) -> Tensor:
    """points (..., 3) in camera space -> (..., 3, 3): columns right, down and along the ray through the point.

    A move along the first two axes is seen in the image, one along the third is not.
    """
    ahead = points / points.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    x, _, z = ahead.unbind(-1)
    right = torch.stack([z, torch.zeros_like(x), -x], dim=-1)
    right = right / right.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    down = cross(ahead, right)
    return torch.stack([right, down, ahead], dim=-1)


def rotation_from_6d(values: Tensor) -> Tensor:
    """values (..., 6): the change of a matrix's first two columns -> (..., 3, 3) a rotation; zeros give the identity.

    Zhou et al., "On the Continuity of Rotation Representations in Neural Networks", 2019.
    """
    first = torch.cat([values[..., :1] + 1, values[..., 1:3]], dim=-1)
    second = torch.cat([values[..., 3:4], values[..., 4:5] + 1, values[..., 5:]], dim=-1)
    x = first / first.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    y = second - (x * second).sum(dim=-1, keepdim=True) * x
    y = y / y.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    return torch.stack([x, y, cross(x, y)], dim=-1)


def cross(a: Tensor, b: Tensor) -> Tensor:
    """(..., 3) each -> (..., 3), written out so that every exporter knows it."""
    ax, ay, az = a.unbind(-1)
    bx, by, bz = b.unbind(-1)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], dim=-1)


def skin(points: Tensor, nodes: Tensor, weights: Tensor, displacement: Tensor, rotation: Tensor) -> Tensor:
    """Points that follow the nodes' rigid motions.

    points (B, P, 3), nodes (B, K, 3): at the reference frame. weights (B, P, K): sum 1 over K.
    displacement (B, T, K, 3), rotation (B, T, K, 3, 3): of the nodes. Returns (B, T, P, 3).
    """
    b, t, k = displacement.shape[:3]
    offset = nodes[:, None] + displacement - turn(rotation, nodes[:, None])
    motions = torch.cat([rotation.flatten(-2), offset], dim=-1)  # (B, T, K, 12)
    mixed = weights @ motions.transpose(1, 2).reshape(b, k, t * 12)  # (B, P, T * 12)
    mixed = mixed.reshape(b, -1, t, 12).transpose(1, 2)  # (B, T, P, 12)
    return turn(mixed[..., :9].unflatten(-1, (3, 3)), points[:, None]) + mixed[..., 9:]


def turn(matrices: Tensor, vectors: Tensor) -> Tensor:
    """matrices (..., 3, 3), vectors (..., 3) -> (..., 3), without matrix products, so that it stays float32."""
    return (matrices * vectors[..., None, :]).sum(dim=-1)


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
    references = references[:, None] if references.dim() == 3 else references
    similar = (references * maps.shape[2] ** -0.5) @ maps.flatten(3)  # (B, T, K, h * w)
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
