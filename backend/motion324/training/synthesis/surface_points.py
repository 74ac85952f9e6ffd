"""Points on the surfaces of a batch: drawn evenly, with normals, and whatever lies between corners of faces.

Letters: B clips, T frames, V vertices and F faces of all clips together; see rig_bank.py.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from motion324.training.synthesis.draws import Draws
from motion324.training.synthesis.rig_bank import ModelBatch


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
