"""Draws the shadows that objects cast onto the floor they stand on, which masks take for a part of them now and then.

Letters: B clips, T frames, S the frames' side, V vertices and F faces of all clips together.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.node_model.geometry import turn
from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.pictures import Cameras
from motion324.training.synthesis.rasteriser import rasterise
from motion324.training.synthesis.rig_bank import Draws, ModelBatch

LOWEST_LIGHT = math.radians(35)  # above the horizon, so that shadows stay near what casts them
SOFT = 2  # pixels on each side over which a shadow's border is spread, at 96 pixels


def floor_shadows(
    vertices: Tensor, models: ModelBatch, cameras: Cameras, settings: SynthesisSettings, draws: Draws
) -> Tensor | None:
    """vertices (V, T, 3) -> (B, T, 1, S, S): how much darker the floor is there, also where the object hides it; 0 for
    clips without a floor, and where the camera looks from under it. None where no clip is to have one."""
    if not settings.floor_share:
        return None
    batch, frames, side = len(cameras.rotation), vertices.shape[1], settings.image_size
    clip = models.vertex_clip
    height = vertices[..., 1].amin(dim=1)[models.clip_vertices].amin(dim=1)  # (B,): of the lowest place in all frames
    eye = -turn(cameras.rotation.mT, cameras.translation)
    standing = draws.chance(settings.floor_share, batch) & (eye[:, 1] > height)
    azimuth, up = draws.uniform(0, 2 * math.pi, batch), draws.uniform(LOWEST_LIGHT, math.pi / 2, batch).tan()
    away = torch.stack([azimuth.cos() / up, torch.ones_like(up), azimuth.sin() / up], dim=-1)  # for each unit of height
    fallen = vertices - away[clip, None] * (vertices[..., 1] - height[clip, None])[..., None]
    camera_points = cameras.to_camera(fallen, clip)
    corners = (cameras.to_square(camera_points, clip) * side)[models.faces].permute(2, 0, 1, 3).flatten(0, 1)
    depths = camera_points[..., 2][models.faces].permute(2, 0, 1).flatten(0, 1)
    seen = standing[models.face_clip].repeat(frames)[:, None]
    step = torch.arange(frames, device=depths.device)[:, None]
    frame = (models.face_clip[None] * frames + step).flatten()
    drawn = rasterise(corners, torch.where(seen, depths, torch.zeros_like(depths)), frame, batch * frames, side)
    covered = (drawn.nearness > 0).to(vertices.dtype)[:, None]
    soft = max(1, round(SOFT * side / 96))
    covered = F.avg_pool2d(covered, 2 * soft + 1, stride=1, padding=soft, count_include_pad=False)
    return covered.view(batch, frames, 1, side, side) * draws.uniform(0.2, 0.8, batch, 1, 1, 1, 1)
