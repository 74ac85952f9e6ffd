"""Whole batches of synthetic clips: posed, lit, filmed and cut out on the device.

Letters: B clips, T frames, K nodes, P points, S the frames' side, V vertices and F faces of all clips together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.node_model.frame_encoder import cut_out_on_black
from motion324.reconstructors.node_model.model import NodeInputs
from motion324.training.appearance import Appearance, sample_appearance, sample_lights
from motion324.training.cameras import Cameras, estimated, sample_cameras
from motion324.training.draws import Draws
from motion324.training.joint_motion import sample_joint_motion, sample_times
from motion324.training.pictures import as_filmed, estimated_masks
from motion324.training.posing import posed_vertices, varied_vertices
from motion324.training.rasteriser import perspective_weights, rasterise
from motion324.training.rig_bank import ModelBatch, RigBank
from motion324.training.rotations import turn
from motion324.training.settings import SynthesisSettings
from motion324.training.surface_points import face_crosses, face_normals, mixed, surface_samples, vertex_normals

HIDDEN_BEHIND = 0.02  # a point this much farther than what is seen at its pixel is hidden; normalised space


@dataclass(frozen=True)
class TrainingBatch:
    """inputs: what the model is given. targets (B, T, P, 3): the points' true places, in the inputs' coordinates.

    node_places (B, T, K, 2): where the nodes truly are in the frames, -1..1. node_seen (B, T, K): whether they show.
    names: the rigs' names.
    """

    inputs: NodeInputs
    targets: Tensor
    node_places: Tensor
    node_seen: Tensor
    names: tuple[str, ...]


class Synthesiser:
    """Draws batches from a bank of rigs; the same seed gives the same batches on the same device."""

    def __init__(self, bank: RigBank, settings: SynthesisSettings, draw_weights: list[float] | None, seed: int) -> None:
        self.bank = bank
        self.settings = settings
        self._draw_weights = draw_weights
        self._draws = Draws(seed, bank.device)
        self._hosts = np.random.default_rng(seed)

    @torch.no_grad()
    def batch(self, size: int, chosen: list[int] | None = None) -> TrainingBatch:
        """A batch of `size` clips of the chosen rigs, or of rigs drawn by their weights."""
        settings, draws = self.settings, self._draws
        if chosen is None:
            chosen = self._hosts.choice(len(self.bank.names), size, p=self._draw_weights).tolist()
        models = self.bank.models(chosen)
        times = sample_times(size, settings, draws)
        motion = sample_joint_motion(self.bank, chosen, models, times, settings, draws, self._hosts)
        vertices = varied_vertices(posed_vertices(models, motion), models, times, settings, draws)
        cameras = sample_cameras(vertices, models, draws)
        appearance = sample_appearance(models, size, settings, draws)
        colours, alpha, depth = rendered(vertices, models, cameras, appearance, settings, draws)
        frames = as_filmed(colours, alpha, settings, draws)
        masks = estimated_masks(alpha, settings, draws)
        return _as_batch(
            cut_out_on_black(frames, masks),
            depth,
            vertices,
            models,
            times,
            cameras,
            appearance,
            settings,
            draws,
            tuple(self.bank.names[rig] for rig in chosen),
        )


def rendered(
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
    place = mixed(vertices[corner, time[:, None]], weights)
    normal = mixed(vertex_normals(vertices, models)[corner, time[:, None]], weights)
    normal = normal / normal.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    face_normal = F.normalize(face_crosses(vertices, models.faces), dim=-1)[fragments.triangle % count, time]
    sharp = (face_normal * normal).sum(dim=-1) < appearance.sharp_below[clip]
    normal = torch.where(sharp[:, None], face_normal, normal)
    eye = -turn(cameras.rotation.mT, cameras.translation)
    to_eye = F.normalize(eye[clip] - place, dim=-1)
    shaded = sample_lights(batch, draws).lit(appearance.coloured(base, rest, clip), normal, to_eye, clip)
    picture = torch.zeros(batch * frames * side * side, 4, device=shaded.device)
    picture[fragments.pixel] = torch.cat([shaded.clamp(0, 1), torch.ones_like(shaded[:, :1])], dim=-1)
    picture = picture.view(batch * frames, side, side, 4).permute(0, 3, 1, 2)
    picture = F.avg_pool2d(picture, settings.oversampling).unflatten(0, (batch, frames))
    nearness = fragments.nearness.view(batch, frames, side, side)
    depth = torch.where(nearness > 0, 1 / nearness, torch.full_like(nearness, float("inf")))
    return picture[:, :, :3], picture[:, :, 3:], depth


def _as_batch(
    frames: Tensor,
    depth: Tensor,
    vertices: Tensor,
    models: ModelBatch,
    times: Tensor,
    cameras: Cameras,
    appearance: Appearance,
    settings: SynthesisSettings,
    draws: Draws,
    names: tuple[str, ...],
) -> TrainingBatch:
    size = len(names)
    face, weights = surface_samples(vertices[:, 0], models, size, settings.points, draws)
    corner = models.faces[face]  # (B * P, 3)
    clip = torch.arange(size, device=face.device).repeat_interleave(settings.points)
    tracks = mixed(vertices[corner].transpose(1, 2), weights[:, None])  # (B * P, T, 3)
    normals = face_normals(vertices[:, 0], models.faces)[face]
    base = mixed(appearance.vertex_colours[corner], weights)
    colours = appearance.coloured(base, mixed(models.rest[corner], weights), clip)
    colourless = draws.chance(settings.no_colour_share, size)[clip, None]
    colours = torch.where(colourless, torch.full_like(colours, 0.6), colours)

    seen_as = estimated(cameras, settings, draws)
    turned = turn(seen_as.rotation[clip, None], tracks).unflatten(0, (size, -1))  # (B, P, T, 3)
    targets = turned.transpose(1, 2).contiguous()
    normals = turn(seen_as.rotation[clip], normals)
    points = torch.cat([targets[:, 0], normals.unflatten(0, (size, -1)), colours.unflatten(0, (size, -1))], dim=-1)

    chosen = farthest_points(targets[:, 0], settings.nodes)
    tracks = tracks.unflatten(0, (size, -1))
    node_tracks = tracks.gather(1, chosen[:, :, None, None].expand(-1, -1, *tracks.shape[2:]))  # (B, K, T, 3)
    places, seen = _seen(node_tracks, cameras, depth)
    nodes = points.gather(1, chosen[..., None].expand(-1, -1, points.shape[-1]))
    visible = seen[:, 0] ^ draws.chance(0.02, size, settings.nodes)
    nodes = torch.cat([nodes, visible[..., None].float()], dim=-1)
    inputs = NodeInputs(frames, times, seen_as.intrinsics, seen_as.translation, nodes, points)
    return TrainingBatch(inputs, targets, places, seen, names)


def _seen(tracks: Tensor, cameras: Cameras, depth: Tensor) -> tuple[Tensor, Tensor]:
    """tracks (B, K, T, 3), depth (B, T, S', S') -> places (B, T, K, 2) in -1..1, and what shows there (B, T, K)."""
    clip = torch.arange(len(tracks), device=tracks.device)
    camera_points = cameras.to_camera(tracks, clip)
    places = 2 * cameras.to_square(camera_points, clip).transpose(1, 2) - 1
    inside = (places.abs() < 1).all(dim=-1)
    side = depth.shape[-1]
    pixel = ((places + 1) / 2 * side).long().clamp(0, side - 1)
    at = depth.flatten(2).gather(2, pixel[..., 1] * side + pixel[..., 0])
    return places, inside & (camera_points[..., 2].transpose(1, 2) < at + HIDDEN_BEHIND) & at.isfinite()


def farthest_points(points: Tensor, count: int) -> Tensor:
    """points (B, P, 3) -> (B, count): indices, each the farthest from those before it; the first is point 0."""
    chosen = torch.zeros(points.shape[0], count, dtype=torch.long, device=points.device)
    nearest = torch.full(points.shape[:2], float("inf"), device=points.device)
    for number in range(1, count):
        last = points.gather(1, chosen[:, number - 1, None, None].expand(-1, 1, 3))
        nearest = nearest.minimum(((points - last) ** 2).sum(dim=-1))
        chosen[:, number] = nearest.argmax(dim=1)
    return chosen
