"""Rotations and affine maps in batches. An affine map is (..., 3, 4): its matrix, then its translation."""

from __future__ import annotations

import torch
from torch import Tensor

POLAR_STEPS = 10


def rotation_about(vectors: Tensor) -> Tensor:
    """vectors (..., 3): axis times angle in radians -> (..., 3, 3), by Rodrigues' formula."""
    angle = vectors.norm(dim=-1, keepdim=True).clamp(min=1e-8)
    x, y, z = (vectors / angle).unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    angle = angle[..., None]
    identity = torch.eye(3, device=vectors.device, dtype=vectors.dtype)
    return identity + angle.sin() * skew + (1 - angle.cos()) * product(skew, skew)


def nearest_similarity(matrices: Tensor) -> Tensor:
    """matrices (..., 3, 3), near to scaled rotations -> scaled rotations of the same volume.

    By Newton's iteration for the polar decomposition, in its form without inverses (Higham, "Functions of Matrices",
    2008, section 8.3).
    """
    volume = (torch.linalg.cross(matrices[..., 0], matrices[..., 1]) * matrices[..., 2]).sum(dim=-1)
    scale = volume.abs().clamp(min=1e-30) ** (1 / 3) * torch.where(volume < 0, -1.0, 1.0)
    norm = torch.linalg.matrix_norm(matrices).clamp(min=1e-20)
    x = matrices / norm[..., None, None] * torch.where(volume < 0, -1.0, 1.0)[..., None, None]
    for _ in range(POLAR_STEPS):
        x = 1.5 * x - 0.5 * product(x, product(x.mT, x))
    return x * scale[..., None, None]


def turn(matrices: Tensor, vectors: Tensor) -> Tensor:
    """matrices (..., 3, 3), vectors (..., 3) -> (..., 3). Sums: matrix products are slow for tiny matrices."""
    return (matrices * vectors[..., None, :]).sum(dim=-1)


def product(a: Tensor, b: Tensor) -> Tensor:
    """(..., 3, 3) times (..., 3, n) -> (..., 3, n), for very many tiny matrices."""
    return (a[..., None] * b[..., None, :, :]).sum(dim=-2)


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The affine map that does `inner`, then `outer`."""
    matrix = outer[..., :3]
    moved = product(matrix, inner)
    return torch.cat([moved[..., :3], moved[..., 3:] + outer[..., 3:]], dim=-1)


def about(matrices: Tensor, pivots: Tensor) -> Tensor:
    """matrices (..., 3, 3) applied about pivots (..., 3), as affine maps."""
    return torch.cat([matrices, (pivots - turn(matrices, pivots))[..., None]], dim=-1)


def apply(maps: Tensor, points: Tensor) -> Tensor:
    """maps (..., 3, 4), points (..., 3) -> (..., 3)."""
    return turn(maps[..., :3], points) + maps[..., 3]
