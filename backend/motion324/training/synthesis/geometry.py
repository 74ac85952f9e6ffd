"""Computes geometry in batches, on any device: rotations and affine maps, and points on surfaces.

An affine map is (..., 3, 4): its matrix, then its translation. Letters: B clips, T frames, V vertices and F faces of
all clips together; see rig_bank.py.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.node_model.geometry import turn
from motion324.training.synthesis.rig_bank import Draws, ModelBatch

POLAR_STEPS = 10
ANCESTRY_DOUBLINGS = 6  # skeletons up to 64 joints deep
FLAT = 1e-3  # the least volume of a joint's matrix, beside the cube of its norm, for it to be undone


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


def inverse(maps: Tensor) -> Tensor:
    """maps (..., 3, 4) -> (..., 3, 4); of flat ones something finite."""
    a, b, c = maps[..., :3].unbind(-1)
    rows = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=-2)
    volume = (a * rows[..., 0, :]).sum(dim=-1)
    volume = torch.where(volume == 0, torch.ones_like(volume), volume)
    matrix = rows / volume[..., None, None]
    return torch.cat([matrix, -(matrix * maps[..., None, :, 3]).sum(dim=-1, keepdim=True)], dim=-1)


def solid(maps: Tensor) -> Tensor:
    """maps (B, T, J, 3, 4) -> (B, J): whether a joint's matrices can be undone in all frames."""
    a, b, c = maps[..., :3].unbind(-1)
    volume = (a * torch.linalg.cross(b, c)).sum(dim=-1).abs()
    return (volume > FLAT * maps[..., :3].square().sum(dim=(-1, -2)) ** 1.5 / 3**1.5).all(dim=1)


def down_the_skeleton(maps: Tensor, parents: Tensor) -> Tensor:
    """maps (B, T, J, 3, 4): of each joint beside its parent, parents (B, J): J for none -> (B, T, J, 3, 4): of each
    joint after all that it hangs on."""
    none = torch.eye(3, 4, device=maps.device).expand_as(maps[:, :, :1])
    maps = torch.cat([maps, none], dim=2)
    clip = torch.arange(len(parents), device=maps.device)[:, None]
    ancestor = torch.cat([parents, torch.full_like(parents[:, :1], parents.shape[1])], dim=1)
    for _ in range(ANCESTRY_DOUBLINGS):
        maps = compose(maps.transpose(1, 2)[clip, ancestor].transpose(1, 2), maps)
        ancestor = ancestor.gather(1, ancestor)
    return maps[:, :, :-1]


def surface_samples(
    vertices: Tensor, models: ModelBatch, batch: int, count: int, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Faces (B * count,) and barycentric coordinates (B * count, 3), evenly over each clip's surface."""
    crosses = face_crosses(vertices, models.faces)
    total = crosses.norm(dim=-1).double().cumsum(0)
    ends = torch.tensor(np.cumsum(models.face_counts), device=total.device)
    high = total[ends - 1]
    low = torch.cat([high.new_zeros(1), high[:-1]])
    where = low[:, None] + draws.uniform(0, 1, batch, count).double() * (high - low)[:, None]
    face = torch.searchsorted(total, where.flatten(), right=True).view(batch, count)
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    face = face.maximum(starts[:, None]).minimum(ends[:, None] - 1).flatten()
    root, across = draws.uniform(0, 1, batch * count).sqrt(), draws.uniform(0, 1, batch * count)
    return face, torch.stack([1 - root, root * (1 - across), root * across], dim=-1)


def vertex_normals(vertices: Tensor, models: ModelBatch) -> Tensor:
    """(V, T, 3) of unit length: the normals of the faces around each vertex, weighted by their areas."""
    crosses = face_crosses(vertices, models.faces)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total.index_add_(0, models.faces[:, corner], crosses)
    return total / total.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def face_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    crosses = face_crosses(vertices, faces)
    return crosses / crosses.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def face_crosses(vertices: Tensor, faces: Tensor) -> Tensor:
    a, b, c = vertices[faces].unbind(1)
    return torch.linalg.cross(b - a, c - a)


def mixed(corners: Tensor, weights: Tensor) -> Tensor:
    """corners (..., 3 corners, C), weights (..., 3) -> (..., C)."""
    return (corners * weights[..., None]).sum(dim=-2)
