"""Finds nearest neighbours on a GPU by one Triton kernel: all pairs, none kept. Its plain twin is in neighbours.py."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

_POINTS, _AMONG = 64, 128  # of a tile


def nearest_indices(points: Any, among: Any) -> Any:
    """points (P, 3), among (Q, 3) float32 on one CUDA device -> (P,) long: which of `among` is nearest to each."""
    found = torch.empty(len(points), dtype=torch.int32, device=points.device)
    columns = [one.T.contiguous() for one in (points, among)]
    with torch.cuda.device(points.device):
        _nearest[(triton.cdiv(len(points), _POINTS),)](
            columns[0], columns[1], found, len(points), len(among), POINTS=_POINTS, AMONG=_AMONG
        )
    return found.long()


@triton.jit
def _nearest(points, among, found, count, others, POINTS: tl.constexpr, AMONG: tl.constexpr):
    row = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    here = row < count
    x = tl.load(points + row, here, 0.0)
    y = tl.load(points + count + row, here, 0.0)
    z = tl.load(points + 2 * count + row, here, 0.0)
    best = tl.full((POINTS, AMONG), float("inf"), tl.float32)
    which = tl.zeros((POINTS, AMONG), tl.int32)
    for start in range(0, others, AMONG):
        column = start + tl.arange(0, AMONG)
        there = column < others
        dx = x[:, None] - tl.load(among + column, there, float("inf"))[None, :]
        dy = y[:, None] - tl.load(among + others + column, there, 0.0)[None, :]
        dz = z[:, None] - tl.load(among + 2 * others + column, there, 0.0)[None, :]
        square = dx * dx + dy * dy + dz * dz
        closer = square < best
        best = tl.where(closer, square, best)
        which = tl.where(closer, column[None, :], which)
    place = tl.argmin(best, axis=1)
    mine = tl.arange(0, AMONG)[None, :] == place[:, None]
    tl.store(found + row, tl.sum(tl.where(mine, which, 0), axis=1), here)
