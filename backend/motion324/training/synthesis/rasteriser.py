"""Turns the triangles of square pictures to pixels, as the product does, compiled on a GPU: training draws millions."""

from __future__ import annotations

from torch import Tensor

from motion324.training.shared.fused import fused
from motion324.view import torch_rasteriser
from motion324.view.torch_rasteriser import Fragments


def rasterise(corners: Tensor, depths: Tensor, frame: Tensor, frames: int, side: int) -> Fragments:
    """corners (R, 3, 2) in pixels (pixel 0 covers 0..1), depths (R, 3), frame (R,): of the triangles."""
    return torch_rasteriser.rasterise(corners, depths, frame, frames, (side, side), fused)


def perspective_weights(corners: Tensor, depths: Tensor, pixel: Tensor, triangle: Tensor, side: int) -> Tensor:
    """(Q, 3): barycentric coordinates of fragments on their triangles in space."""
    return torch_rasteriser.perspective_weights(corners, depths, pixel, triangle, (side, side))
