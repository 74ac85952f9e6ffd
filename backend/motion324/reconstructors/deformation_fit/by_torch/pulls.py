"""What the images say about many frames, as tensors, and how it pulls their points.

Letters: B frames, P points, Q targets of each frame, (h, w) the working images' size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.deformation_fit.fit_problem import FitProblem
from motion324.reconstructors.deformation_fit.observations import MaskField, Observation, PointTargets

NEAREST = 1e-2  # points nearer to the camera than this are not pulled


@dataclass(frozen=True)
class FrameTargets:
    """PointTargets of B frames: pixels (B, Q, 2), weights (B, Q), which (B, Q) int, or None for all points in order."""

    pixels: Tensor
    weights: Tensor
    which: Tensor | None


class Camera:
    """The problem's camera, as tensors of like's device and type."""

    def __init__(self, problem: FitProblem, like: Tensor) -> None:
        view = problem.view
        fx, fy, cx, cy = problem.intrinsics
        self.ahead = torch.as_tensor(view.rotation[2]).to(like)
        self._rotation, self._translation = (
            torch.as_tensor(part).to(like) for part in (view.rotation, view.translation)
        )
        self._focal, self._centre = torch.tensor([fx, fy]).to(like), torch.tensor([cx, cy]).to(like)
        self._unit = problem.unit
        self._size = (problem.width, problem.height)

    def pixels(self, points: Tensor) -> Tensor:
        """(..., 3) -> (..., 2) in the working images."""
        places = points @ self._rotation.T + self._translation
        return self._focal * places[..., :2] / places[..., 2:].clamp(min=1e-9) + self._centre

    def depths(self, points: Tensor) -> Tensor:
        """(..., 3) -> (...) along the viewing axis."""
        return points @ self.ahead + self._translation[2]

    def clipped(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Columns and rows, of pixels beyond the border those at it."""
        x, y = pixels.unbind(-1)
        width, height = self._size
        return x.clamp(0, width - 1).long(), y.clamp(0, height - 1).long()

    def add_pulls(
        self, metric: Tensor, pull: Tensor, points: Tensor, targets: FrameTargets, weight: float, tolerance: float
    ) -> None:
        """As frame_fit.add_pixel_pulls, of many frames: adds to metric (B, P, 3, 3) and pull (B, P, 3)."""
        which = targets.which
        some = points if which is None else points.gather(1, which[..., None].expand(-1, -1, 3))
        places = some @ self._rotation.T + self._translation
        depth = places[..., 2:].clamp(min=NEAREST)
        slopes = places[..., :2] / depth
        off = (self._focal * slopes + self._centre - targets.pixels) * self._unit
        jacobian = self._rotation[:2] - slopes[..., None] * self._rotation[2]
        jacobian = (self._unit * self._focal / depth)[..., None] * jacobian  # (B, Q, 2, 3)
        robust = tolerance**2 / (tolerance**2 + off.square().sum(dim=-1))
        share = weight * targets.weights * robust.square() * (places[..., 2] >= NEAREST)
        weighted = (share[..., None, None] * jacobian).transpose(2, 3)
        metrics, pulled = weighted @ jacobian, (weighted @ off[..., None])[..., 0]
        if which is None:
            metric += metrics
            pull += pulled
        else:
            frame = torch.arange(len(which), device=which.device)[:, None].expand_as(which)
            metric.index_put_((frame, which), metrics, accumulate=True)
            pull.index_put_((frame, which), pulled, accumulate=True)


@dataclass(frozen=True)
class FieldOnDevice:
    """A MaskField in few bytes: nearest (h, w, 2) int16, columns and rows of pixels; outside (h, w) bool."""

    nearest: Tensor
    outside: Tensor

    @staticmethod
    def of(field: MaskField, device: torch.device) -> FieldOnDevice:
        nearest = torch.as_tensor(field.nearest.astype(np.int16))
        return FieldOnDevice(nearest.to(device), torch.as_tensor(field.distance > 0.5).to(device))


class MaskFields:
    """The ways to the masks of B frames."""

    def __init__(self, fields: Sequence[FieldOnDevice], camera: Camera) -> None:
        self._nearest = torch.stack([field.nearest for field in fields])
        self._outside = torch.stack([field.outside for field in fields])
        self._camera = camera

    def outside(self, points: Tensor, area: Tensor) -> FrameTargets:
        """As Observer.outside, of moved points (B, P, 3), which count as `area` (P,) says."""
        x, y = self._camera.clipped(self._camera.pixels(points))
        frame = torch.arange(len(points), device=points.device)[:, None]
        return FrameTargets(self._nearest[frame, y, x] + 0.5, self._outside[frame, y, x] * area, None)


def on_device(seen: Sequence[Observation[PointTargets]], like: Tensor) -> Observation[FrameTargets]:
    """What was seen of each frame -> of all of them. A frame that has fewer neighbours than others has theirs without
    weight, and each of its own counts as much more."""
    most = max(len(each.chained) for each in seen)
    chained = []
    for number in range(most):
        some = [each.chained[min(number, len(each.chained) - 1)] for each in seen]
        counts = [most / len(each.chained) if number < len(each.chained) else 0.0 for each in seen]
        chained.append(_dense(some, like, counts))
    models = [each.model for each in seen if each.model is not None]
    return Observation(chained, _dense(models, like) if models else None, _padded([each.bare for each in seen], like))


def _dense(targets: Sequence[PointTargets], like: Tensor, factors: Sequence[float] | None = None) -> FrameTargets:
    """Of all points each."""
    weights = np.stack([each.weights for each in targets])
    if factors is not None:
        weights = weights * np.asarray(factors)[:, None]
    pixels = np.stack([each.pixels for each in targets])
    return FrameTargets(torch.as_tensor(pixels).to(like), torch.as_tensor(weights).to(like), None)


def _padded(targets: Sequence[PointTargets], like: Tensor) -> FrameTargets:
    """Of few points, of some frames more than of others."""
    most = max(1, *(len(each.which) for each in targets)) if len(targets) > 1 else max(1, len(targets[0].which))
    which = np.zeros((len(targets), most), np.int64)
    pixels, weights = np.zeros((len(targets), most, 2)), np.zeros((len(targets), most))
    for row, each in enumerate(targets):
        count = len(each.which)
        which[row, :count], pixels[row, :count], weights[row, :count] = each.which, each.pixels, each.weights
    there = torch.as_tensor(which).to(like.device)
    return FrameTargets(torch.as_tensor(pixels).to(like), torch.as_tensor(weights).to(like), there)
