"""Turns triangles to pixels, for thousands of frames at once, on any device, by PyTorch.

Every triangle is cut into rows, every row into pixels; a maximum over (nearness, triangle) at each pixel keeps the
nearest triangle. Work is proportional to the pixels covered. A pixel belongs to a triangle that holds its centre.
Letters: R triangles, W rows of pixels in them, Q pixels that show something.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Work = Callable[..., Any]
NEAREST = 0.05  # triangles with a corner nearer than this are left out


@dataclass(frozen=True)
class Fragments:
    """What is seen, pixel by pixel, only where anything is. Q such pixels.

    pixel (Q,): index into frames * height * width. triangle (Q,): into the rows of `corners`. nearness: of all pixels,
    (frames, height, width) float32, one over depth, 0 where nothing is.
    """

    pixel: Tensor
    triangle: Tensor
    nearness: Tensor


def as_written(work: Work) -> Work:
    return work


def rasterise(
    corners: Tensor,
    depths: Tensor,
    frame: Tensor,
    frames: int,
    size: tuple[int, int],
    fused: Callable[[Work], Work] = as_written,
) -> Fragments:
    """corners (R, 3, 2) in pixels (pixel 0 covers 0..1), depths (R, 3), frame (R,): of the triangles. size: height and
    width of a frame. fused: makes the steps faster, as by compiling them."""
    row_counts, rows_of, pixels_of, unpacked = _steps(fused)
    height, width = size
    top, count = row_counts(corners, depths, height)
    triangle, before = _repeated(count)
    rows = rows_of(corners, depths, frame, triangle, top, before, height, width)
    row, before = _repeated(rows[1])
    place, key = pixels_of(rows, row, before, triangle)
    buffer = torch.zeros(frames * height * width, dtype=torch.long, device=key.device)
    buffer.scatter_reduce_(0, place, key, "amax")
    pixel = buffer.nonzero().squeeze(1)
    seen, nearness = unpacked(buffer, pixel)
    return Fragments(pixel, seen, nearness.view(frames, height, width))


def perspective_weights(
    corners: Tensor, depths: Tensor, pixel: Tensor, triangle: Tensor, size: tuple[int, int]
) -> Tensor:
    """(Q, 3): barycentric coordinates of fragments on their triangles in space."""
    height, width = size
    x = (pixel % width).float() + 0.5
    y = (pixel // width % height).float() + 0.5
    a, b, c = corners[triangle].unbind(1)
    place = torch.stack([x, y], dim=-1)
    areas = torch.stack([_cross(b - place, c - place), _cross(c - place, a - place), _cross(a - place, b - place)], -1)
    weights = areas / depths[triangle].clamp(min=NEAREST)
    total = weights.sum(dim=-1, keepdim=True)
    total = torch.where(total.abs() < 1e-12, torch.full_like(total, 1e-12), total)
    weights = (weights / total).clamp(0, 1)
    return weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-6)


@functools.cache
def _steps(fused: Callable[[Work], Work]) -> tuple[Work, ...]:
    return tuple(fused(step) for step in (_row_counts, _rows, _pixels, _unpacked))


def _repeated(count: Tensor) -> tuple[Tensor, Tensor]:
    """Each index as often as its count says, and how many come before its first."""
    total = count.cumsum(0)
    owner = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    return owner, total - count


def _row_counts(corners: Tensor, depths: Tensor, height: int) -> tuple[Tensor, Tensor]:
    """The first row of pixel centres that each triangle crosses, and how many it crosses (R,)."""
    top = (corners[..., 1].amin(dim=1) - 0.5).ceil().clamp(0, height).long()
    bottom = ((corners[..., 1].amax(dim=1) - 0.5).ceil() - 1).clamp(-1, height - 1).long()
    ahead = (depths > NEAREST).all(dim=1)
    return top, torch.where(ahead, (bottom - top + 1).clamp(min=0), torch.zeros_like(top))


def _rows(
    corners: Tensor,
    depths: Tensor,
    frame: Tensor,
    triangle: Tensor,
    top: Tensor,
    before: Tensor,
    height: int,
    width: int,
) -> tuple[Tensor, ...]:
    """Of W rows, each (W,): the first pixel's index among all frames' pixels; how many pixels; the first one's
    nearness, its slope along the row, and between what it stays, low and high."""
    y = top[triangle] + torch.arange(triangle.shape[0], device=triangle.device) - before[triangle]
    corner = corners[triangle]
    near = 1 / depths[triangle].clamp(min=NEAREST)
    first, last = _span(corner, y + 0.5, width)
    slope, nearness = _nearness_in_row(corner, near, first + 0.5, y + 0.5)
    start = (frame[triangle] * height + y) * width + first
    count = (last - first + 1).clamp(min=0)
    return start, count, nearness, slope, near.amin(dim=1), near.amax(dim=1)


def _pixels(rows: tuple[Tensor, ...], row: Tensor, before: Tensor, triangle: Tensor) -> tuple[Tensor, Tensor]:
    """Every row's pixels: their indices, and what is greater the nearer the triangle is, which it names."""
    start, _, first, slope, low, high = rows
    step = torch.arange(row.shape[0], device=row.device) - before[row]
    nearness = (first[row] + slope[row] * step).maximum(low[row]).minimum(high[row])
    return start[row] + step, (nearness.view(torch.int32).long() << 32) | (triangle[row] + 1)


def _unpacked(buffer: Tensor, pixel: Tensor) -> tuple[Tensor, Tensor]:
    """The triangles at the pixels (Q,), and the nearness of all pixels."""
    return (buffer[pixel] & 0xFFFFFFFF) - 1, (buffer >> 32).int().view(torch.float32)


def _span(corners: Tensor, y: Tensor, width: int) -> tuple[Tensor, Tensor]:
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
    first = (left - 0.5).ceil().clamp(0, width).long()
    last = ((right - 0.5).ceil() - 1).clamp(-1, width - 1).long()
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
