"""Clips posed, lit and filmed on the device: what every kind of synthetic data starts from.

Letters: B clips, T frames, S the frames' side, V vertices and F faces of all clips together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.appearance import Appearance, sample_appearance, sample_lights
from motion324.training.synthesis.cameras import Cameras, sample_cameras
from motion324.training.synthesis.draws import Draws
from motion324.training.synthesis.joint_motion import sample_joint_motion, sample_times
from motion324.training.synthesis.pictures import as_filmed
from motion324.training.synthesis.posing import posed_vertices, varied_vertices
from motion324.training.synthesis.rasteriser import perspective_weights, rasterise
from motion324.training.synthesis.reference_pose import aligned_references
from motion324.training.synthesis.rig_bank import ModelBatch, RigBank
from motion324.training.synthesis.rotations import turn
from motion324.training.synthesis.surface_points import face_crosses, mixed, vertex_normals


@dataclass(frozen=True)
class FilmedClips:
    """models: of the B clips; faces that a mirrored clip turns inside out are reversed. times (B, T): in frames.

    vertices (V, T, 3): normalised space. frames (B, T, 3, S, S) in 0..1, before a background. alpha (B, T, 1, S, S):
    the object. depth (B, T, S', S'): before downsampling. other (B,): frame 0 has a pose that is not the video's.
    """

    models: ModelBatch
    times: Tensor
    vertices: Tensor
    cameras: Cameras
    appearance: Appearance
    frames: Tensor
    alpha: Tensor
    depth: Tensor
    other: Tensor


def filmed_clips(
    bank: RigBank,
    chosen: list[int],
    settings: SynthesisSettings,
    draws: Draws,
    hosts: np.random.Generator,
    camera: Callable[[Tensor], Cameras] | None = None,
) -> FilmedClips:
    """One clip of each of the chosen rigs. camera: chooses the cameras for the vertices (V, T, 3); None: at random."""
    models = bank.models(chosen)
    times = sample_times(len(chosen), settings, draws)
    motion, still, other = sample_joint_motion(bank, chosen, models, times, settings, draws, hosts)
    posed = posed_vertices(models, motion)
    if settings.other_pose_share:
        posed = aligned_references(posed, models, other, draws)
    vertices, mirrored = varied_vertices(posed, models, times, still, settings, draws)
    models = replace(models, faces=torch.where(mirrored[models.face_clip, None], models.faces.flip(1), models.faces))
    cameras = camera(vertices) if camera else sample_cameras(vertices, models, draws)
    appearance = sample_appearance(models, len(chosen), settings, draws)
    colours, alpha, depth = _rendered(vertices, models, cameras, appearance, settings, draws)
    frames = as_filmed(colours, alpha, settings, draws)
    return FilmedClips(models, times, vertices, cameras, appearance, frames, alpha, depth, other)


def _rendered(
    vertices: Tensor,
    models: ModelBatch,
    cameras: Cameras,
    appearance: Appearance,
    settings: SynthesisSettings,
    draws: Draws,
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours times alpha (B, T, 3, S, S), alpha (B, T, 1, S, S), and depths (B, T, S', S') before downsampling."""
    batch, frames = len(cameras.rotation), vertices.shape[1]
    side = settings.image_size * settings.oversampling
    camera_points = cameras.to_camera(vertices, models.vertex_clip)
    pixels = cameras.to_square(camera_points, models.vertex_clip) * side
    corners = pixels[models.faces].permute(2, 0, 1, 3).flatten(0, 1)  # (T * F, 3, 2)
    depths = camera_points[..., 2][models.faces].permute(2, 0, 1).flatten(0, 1)
    count = len(models.faces)
    step = torch.arange(frames, device=depths.device)[:, None]
    frame = (models.face_clip[None] * frames + step).flatten()
    fragments = rasterise(corners, depths, frame, batch * frames, side)
    weights = perspective_weights(corners, depths, fragments, side)
    corner = models.faces[fragments.triangle % count]  # (Q, 3)
    time = fragments.triangle // count
    clip = models.face_clip[fragments.triangle % count]
    base = mixed(appearance.vertex_colours[corner], weights)
    rest = mixed(models.rest[corner], weights)
    place = mixed(vertices[corner, time[:, None]], weights)  # in space, which shadows keep to
    normal = mixed(vertex_normals(vertices, models)[corner, time[:, None]], weights)
    normal = normal / normal.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    face_normal = F.normalize(face_crosses(vertices, models.faces), dim=-1)[fragments.triangle % count, time]
    sharp = (face_normal * normal).sum(dim=-1) < appearance.sharp_below[clip]
    normal = torch.where(sharp[:, None], face_normal, normal)
    eye = -turn(cameras.rotation.mT, cameras.translation)
    to_eye = F.normalize(eye[clip] - place, dim=-1)
    lights = sample_lights(batch, settings, draws)
    shaded = lights.lit(appearance.coloured(base, rest, clip), normal, to_eye, place, clip)
    picture = torch.zeros(batch * frames * side * side, 4, device=shaded.device)
    picture[fragments.pixel] = torch.cat([shaded.clamp(0, 1), torch.ones_like(shaded[:, :1])], dim=-1)
    picture = picture.view(batch * frames, side, side, 4).permute(0, 3, 1, 2)
    picture = F.avg_pool2d(picture, settings.oversampling).unflatten(0, (batch, frames))
    nearness = fragments.nearness.view(batch, frames, side, side)
    depth = torch.where(nearness > 0, 1 / nearness, torch.full_like(nearness, float("inf")))
    return picture[:, :, :3], picture[:, :, 3:], depth
