"""Random cameras around the mesh, cropped to the object, and the views that a search would have estimated of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.draws import Draws
from motion324.training.synthesis.rig_bank import ModelBatch
from motion324.training.synthesis.rotations import product, rotation_about, turn

GROSS = 3.0  # how much worse the worst of estimated views are
NEAREST = 0.35  # the least depth of any vertex, in normalised space


@dataclass(frozen=True)
class Cameras:
    """Pinhole cameras, one per clip, as motion324.core.view has them, of a square cut out around the object.

    rotation (B, 3, 3), translation (B, 3): normalised space -> camera space (x right, y down, z ahead).
    intrinsics (B, 3): focal length and principal point, in units of the square's side.
    """

    rotation: Tensor
    translation: Tensor
    intrinsics: Tensor

    def to_camera(self, points: Tensor, clip: Tensor) -> Tensor:
        """points (V, ..., 3) of the clips (V,) -> camera space."""
        matrix = self.rotation[clip].view(-1, *(1,) * (points.dim() - 2), 3, 3)
        return turn(matrix, points) + self.translation[clip].view(-1, *(1,) * (points.dim() - 2), 3)

    def to_square(self, camera_points: Tensor, clip: Tensor) -> Tensor:
        """camera_points (V, ..., 3) -> (V, ..., 2) in units of the square's side, 0..1 inside."""
        intrinsics = self.intrinsics[clip].view(-1, *(1,) * (camera_points.dim() - 2), 3)
        depth = camera_points[..., 2:].clamp(min=1e-2)
        return intrinsics[..., :1] * camera_points[..., :2] / depth + intrinsics[..., 1:]


def sample_cameras(vertices: Tensor, models: ModelBatch, draws: Draws) -> Cameras:
    """vertices (V, T, 3) in normalised space."""
    batch, device = len(models.clip_vertices), vertices.device
    azimuth = draws.uniform(0, 2 * math.pi, batch)
    elevation = draws.uniform(math.radians(-10), math.radians(40), batch)
    half_view = draws.uniform(math.radians(10), math.radians(30), batch)
    reach = vertices.norm(dim=-1).amax(dim=1)[models.clip_vertices].amax(dim=1)
    distance = reach * draws.uniform(1.0, 1.5, batch) / half_view.sin()
    distance = distance.maximum(reach + NEAREST)
    sine, cosine = azimuth.sin(), azimuth.cos()
    ahead = -torch.stack([sine * elevation.cos(), elevation.sin(), cosine * elevation.cos()], dim=-1)
    right = torch.stack([cosine, torch.zeros_like(cosine), -sine], dim=-1)
    rotation = torch.stack([right, torch.linalg.cross(ahead, right), ahead], dim=1)
    tilt = math.radians(2) * draws.normal(batch, 3) * torch.tensor([1.0, 1.0, 0.7], device=device)
    rotation = product(rotation_about(tilt), rotation)
    aim = draws.uniform(-0.1, 0.1, batch, 3)
    aim[:, 2] = 0
    translation = aim + torch.stack([torch.zeros_like(distance), torch.zeros_like(distance), distance], dim=-1)
    cameras = Cameras(rotation, translation, torch.tensor([1.0, 0.0, 0.0], device=device).expand(batch, 3))
    return Cameras(rotation, translation, _square_around(vertices, models, cameras, draws))


def _square_around(vertices: Tensor, models: ModelBatch, cameras: Cameras, draws: Draws) -> Tensor:
    """(B, 3): intrinsics of a square around the object in all frames, with a margin, rarely too narrow."""
    batch, clip = len(cameras.rotation), models.vertex_clip
    seen = cameras.to_square(cameras.to_camera(vertices, clip), clip)
    low = seen.amin(dim=1)[models.clip_vertices].amin(dim=1)
    high = seen.amax(dim=1)[models.clip_vertices].amax(dim=1)
    narrow = draws.chance(0.06, batch)
    margin = torch.where(narrow, draws.uniform(0.7, 1.0, batch), draws.uniform(1.05, 1.3, batch))
    side = (high - low).amax(dim=1) * margin
    centre = (low + high) / 2 + side[:, None] * draws.uniform(-0.02, 0.02, batch, 2)
    return torch.cat([1 / side[:, None], 0.5 - centre / side[:, None]], dim=-1)


def estimated(cameras: Cameras, settings: SynthesisSettings, draws: Draws) -> Cameras:
    """The cameras with the errors of an estimate: turned, shifted, focal length and distance wrong together."""
    batch = len(cameras.rotation)
    wrong = draws.chance(settings.view_error_share, batch, 1) * GROSS ** draws.chance(
        settings.gross_view_share, batch, 1
    )
    error = math.radians(settings.view_degrees) * draws.normal(batch, 3) * wrong
    rotation = product(rotation_about(error), cameras.rotation)
    zoom = (settings.view_scale * 2 * draws.normal(batch, 1) * wrong).exp()
    size = (settings.view_scale * 0.3 * draws.normal(batch, 1) * wrong).exp()
    shift = settings.view_shift * draws.normal(batch, 2) * wrong
    translation = cameras.translation * torch.cat([torch.ones_like(zoom).expand(-1, 2), zoom * size], dim=-1)
    focal = cameras.intrinsics[:, :1] * zoom
    return Cameras(rotation, translation, torch.cat([focal, cameras.intrinsics[:, 1:] + shift], dim=-1))
