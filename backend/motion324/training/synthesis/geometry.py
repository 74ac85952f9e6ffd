"""Computes geometry in batches, on any device: rotations and affine maps, points on surfaces, and triangles to pixels.

An affine map is (..., 3, 4): its matrix, then its translation. The rasteriser is for thousands of frames at once: every
triangle is cut into rows, every row into pixels; a maximum over (nearness, triangle) at each pixel keeps the nearest
triangle. Work is proportional to the pixels covered. A pixel belongs to a triangle that holds its centre. Letters: B
clips, T frames, V vertices and F faces of all clips together; see rig_bank.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.node_model.geometry import turn
from motion324.training.synthesis.rig_bank import Draws, ModelBatch

POLAR_STEPS = 10
NEAREST = 0.05  # triangles with a corner nearer than this are left out


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


@dataclass(frozen=True)
class Fragments:
    """What is seen, pixel by pixel, only where anything is. Q such pixels.

    pixel (Q,): index into frames * side * side. triangle (Q,): into the rows of `corners`. nearness: of all pixels,
    (frames, side, side) float32, one over depth, 0 where nothing is.
    """

    pixel: Tensor
    triangle: Tensor
    nearness: Tensor


def rasterise(corners: Tensor, depths: Tensor, frame: Tensor, frames: int, side: int) -> Fragments:
    """corners (R, 3, 2) in pixels (pixel 0 covers 0..1), depths (R, 3), frame (R,): of the triangles."""
    rows = _rows(corners, depths, side)
    near = 1 / depths.clamp(min=NEAREST)
    triangle, y = rows.triangle, rows.y
    first, last = _span(corners[triangle], y + 0.5, side)
    slope, start = _nearness_in_row(corners[triangle], near[triangle], first + 0.5, y + 0.5)
    count = (last - first + 1).clamp(min=0)
    row = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    step = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    base = (frame[triangle] * side + y) * side + first
    low, high = near.amin(dim=1)[triangle], near.amax(dim=1)[triangle]
    nearness = (start[row] + slope[row] * step).maximum(low[row]).minimum(high[row])
    key = (nearness.view(torch.int32).long() << 32) | (triangle + 1)[row]
    buffer = torch.zeros(frames * side * side, dtype=torch.long, device=key.device)
    buffer.scatter_reduce_(0, base[row] + step, key, "amax")
    pixel = buffer.nonzero().squeeze(1)
    seen = (buffer & 0xFFFFFFFF)[pixel] - 1
    nearness_map = (buffer >> 32).int().view(torch.float32).view(frames, side, side)
    return Fragments(pixel, seen, nearness_map)


def perspective_weights(corners: Tensor, depths: Tensor, fragments: Fragments, side: int) -> Tensor:
    """(Q, 3): barycentric coordinates of the fragments on their triangles in space."""
    x = (fragments.pixel % side).float() + 0.5
    y = (fragments.pixel // side % side).float() + 0.5
    a, b, c = corners[fragments.triangle].unbind(1)
    place = torch.stack([x, y], dim=-1)
    areas = torch.stack([_cross(b - place, c - place), _cross(c - place, a - place), _cross(a - place, b - place)], -1)
    weights = areas / depths[fragments.triangle].clamp(min=NEAREST)
    total = weights.sum(dim=-1, keepdim=True)
    total = torch.where(total.abs() < 1e-12, torch.full_like(total, 1e-12), total)
    weights = (weights / total).clamp(0, 1)
    return weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-6)


@dataclass(frozen=True)
class _Rows:
    triangle: Tensor
    y: Tensor


def _rows(corners: Tensor, depths: Tensor, side: int) -> _Rows:
    """The rows of pixel centres that each triangle crosses."""
    top = (corners[..., 1].amin(dim=1) - 0.5).ceil().clamp(0, side).long()
    bottom = ((corners[..., 1].amax(dim=1) - 0.5).ceil() - 1).clamp(-1, side - 1).long()
    ahead = (depths > NEAREST).all(dim=1)
    count = torch.where(ahead, (bottom - top + 1).clamp(min=0), torch.zeros_like(top))
    triangle = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    step = torch.arange(len(triangle), device=triangle.device) - (count.cumsum(0) - count)[triangle]
    return _Rows(triangle, top[triangle] + step)


def _span(corners: Tensor, y: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """First and last pixel whose centre lies inside, along the horizontal at y. corners (W, 3, 2), y (W,)."""
    left = torch.full_like(y, float("inf"))
    right = torch.full_like(y, float("-inf"))
    for i in range(3):
        (ax, ay), (bx, by) = corners[:, i].unbind(-1), corners[:, (i + 1) % 3].unbind(-1)
        crosses = (ay <= y) != (by <= y)
        rise = torch.where(crosses, by - ay, torch.ones_like(y))
        x = ax + (y - ay) / rise * (bx - ax)
        left = torch.where(crosses, left.minimum(x), left)
        right = torch.where(crosses, right.maximum(x), right)
    first = (left - 0.5).ceil().clamp(0, side).long()
    last = ((right - 0.5).ceil() - 1).clamp(-1, side - 1).long()
    return first, last


def _nearness_in_row(corners: Tensor, near: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """One over depth is linear over the picture: its slope along x, and its value at (x, y)."""
    a, b, c = corners.unbind(1)
    area = _cross(b - a, c - a)
    area = torch.where(area.abs() < 1e-9, torch.full_like(area, 1e-9), area)
    db, dc = near[:, 1] - near[:, 0], near[:, 2] - near[:, 0]
    along_x = (db * (c - a)[:, 1] - dc * (b - a)[:, 1]) / area
    along_y = (dc * (b - a)[:, 0] - db * (c - a)[:, 0]) / area
    return along_x, near[:, 0] + along_x * (x - a[:, 0]) + along_y * (y - a[:, 1])


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
