"""Poses, varies, lights and films clips on the device: what every kind of synthetic data starts from.

Letters: B clips, T frames, S the frames' side, V vertices and F faces of all clips together; see rig_bank.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.node_model.geometry import turn
from motion324.training.shared.fused import fused
from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.appearance import Appearance, sample_appearance
from motion324.training.synthesis.exchanged_colours import with_exchanged_colours
from motion324.training.synthesis.floor_shadows import floor_shadows
from motion324.training.synthesis.geometry import apply, mixed, rotation_about, vertex_normals
from motion324.training.synthesis.joint_motion import aligned_references, sample_joint_motion, sample_times
from motion324.training.synthesis.lighting import CastShadows, Lights, cast_shadows, sample_lights
from motion324.training.synthesis.pictures import Cameras, as_filmed, motion_blurred, sample_cameras
from motion324.training.synthesis.rasteriser import perspective_weights, rasterise
from motion324.training.synthesis.rig_bank import Draws, ModelBatch, RigBank
from motion324.view.torch_rasteriser import Fragments

STATIC_WAVES, MOVING_WAVES = 3, 2
LEAST_MOTION = (0.001, 0.01)  # mean motion of clips that hardly move, in parts of the longest side
MOTIONLESS_SHARE = 1 / 6  # of these


@dataclass(frozen=True)
class FilmedClips:
    """models: of the B clips; faces that a mirrored clip turns inside out are reversed. times (B, T): in frames.

    vertices (V, T, 3): normalised space. frames (B, T, 3, S, S) in 0..1, before a background. alpha (B, T, 1, S, S):
    the object. shade (B, T, 1, S, S): see floor_shadows. depth (B, T, S', S'): before downsampling. other (B,): frame 0
    has a pose that is not the video's.
    """

    models: ModelBatch
    times: Tensor
    vertices: Tensor
    cameras: Cameras
    appearance: Appearance
    frames: Tensor
    alpha: Tensor
    shade: Tensor | None
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
    models, motion, still, other = sample_joint_motion(bank, chosen, models, times, settings, draws, hosts)
    posed = posed_vertices(models, motion)
    if settings.other_pose_share:
        posed = aligned_references(posed, models, other, draws)
    vertices, mirrored = varied_vertices(posed, models, times, still, settings, draws)
    models = replace(models, faces=torch.where(mirrored[models.face_clip, None], models.faces.flip(1), models.faces))
    cameras = camera(vertices) if camera else sample_cameras(vertices, models, draws)
    models = with_exchanged_colours(models, settings.exchanged_share, draws, hosts)
    appearance = sample_appearance(models, len(chosen), settings, draws)
    colours, alpha, depth = _rendered(vertices, models, cameras, appearance, settings, draws)
    shade = floor_shadows(vertices, models, cameras, settings, draws)
    frames = as_filmed(colours, alpha, shade, settings, draws)
    return FilmedClips(models, times, vertices, cameras, appearance, frames, alpha, shade, depth, other)


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
    step = torch.arange(frames, device=depths.device)[:, None]
    frame = (models.face_clip[None] * frames + step).flatten()
    fragments = rasterise(corners, depths, frame, batch * frames, side)
    lights = sample_lights(batch, settings, draws)
    shadows = cast_shadows(vertices, models, lights, settings, draws)
    eye = -turn(cameras.rotation.mT, cameras.translation)
    weights = _weights(corners, depths, fragments, side)
    surface = _Surface(vertices, vertex_normals(vertices, models), models.rest, models.faces, models.face_clip)
    shaded = _shaded(fragments, weights, surface, appearance, lights, shadows, eye)
    blurring = settings.motion_blur_share > 0
    if blurring:
        shaded = torch.cat([shaded, _velocities(fragments, weights, pixels / side, models.faces)], dim=-1)
    picture = torch.zeros(batch * frames * side * side, shaded.shape[-1], device=shaded.device)
    picture[fragments.pixel] = shaded
    picture = picture.view(batch * frames, side, side, -1).permute(0, 3, 1, 2)
    picture = F.avg_pool2d(picture, settings.oversampling).unflatten(0, (batch, frames))
    if blurring:
        picture = motion_blurred(picture[:, :, :4], picture[:, :, 4:], settings, draws)
    nearness = fragments.nearness.view(batch, frames, side, side)
    depth = torch.where(nearness > 0, 1 / nearness, torch.full_like(nearness, float("inf")))
    return picture[:, :, :3], picture[:, :, 3:], depth


@dataclass(frozen=True)
class _Surface:
    """vertices, normals (V, T, 3), rest (V, 3), faces (F, 3), face_clip (F,)."""

    vertices: Tensor
    normals: Tensor
    rest: Tensor
    faces: Tensor
    face_clip: Tensor


@fused
def _weights(corners: Tensor, depths: Tensor, fragments: Fragments, side: int) -> Tensor:
    return perspective_weights(corners, depths, fragments.pixel, fragments.triangle, side)


@fused
def _shaded(
    fragments: Fragments,
    weights: Tensor,
    surface: _Surface,
    appearance: Appearance,
    lights: Lights,
    shadows: CastShadows | None,
    eye: Tensor,
) -> Tensor:
    """Colours and opacity, 1, of the fragments (Q, 4). weights (Q, 3), eye (B, 3)."""
    count = surface.faces.shape[0]
    face, time = fragments.triangle % count, fragments.triangle // count
    corner, clip = surface.faces[face], surface.face_clip[face]  # (Q, 3), (Q,)
    base = mixed(appearance.vertex_colours[corner], weights)
    rest = mixed(surface.rest[corner], weights)
    places = surface.vertices[corner, time[:, None]]  # (Q, 3, 3), in space, which shadows keep to
    place = mixed(places, weights)
    normal = mixed(surface.normals[corner, time[:, None]], weights)
    normal = normal / normal.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    a, b, c = places.unbind(1)
    flat = F.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    sharp = (flat * normal).sum(dim=-1) < appearance.sharp_below[clip]
    normal = torch.where(sharp[:, None], flat, normal)
    to_eye = F.normalize(eye[clip] - place, dim=-1)
    open_to_sky = torch.ones_like(place[:, 0]) if shadows is None else shadows.missed(place, clip, time)
    shaded = lights.lit(appearance.coloured(base, rest, clip), normal, to_eye, place, open_to_sky, clip)
    return torch.cat([shaded.clamp(0, 1), torch.ones_like(shaded[:, :1])], dim=-1)


@fused
def _velocities(fragments: Fragments, weights: Tensor, places: Tensor, faces: Tensor) -> Tensor:
    """How far fragments move until the next frame (Q, 2), in parts of the picture; in the first frame, which the second
    need not follow, as in the second. places (V, T, 2): of the vertices."""
    count = faces.shape[0]
    moved = places[:, 2:] - places[:, 1:-1]
    moved = torch.cat([moved[:, :1], moved, moved[:, -1:]], dim=1)
    face, time = fragments.triangle % count, fragments.triangle // count
    return mixed(moved[faces[face], time[:, None]], weights)


def posed_vertices(models: ModelBatch, motion: Tensor) -> Tensor:
    """motion (B, T, J, 3, 4) -> (V, T, 3) by linear blend skinning."""
    by_joint = motion.transpose(1, 2)  # (B, J, T, 3, 4)
    mixed = torch.zeros((), device=motion.device)
    for influence in range(models.joints.shape[1]):
        matrices = by_joint[models.vertex_clip, models.joints[:, influence]]
        mixed = mixed + models.weights[:, influence, None, None, None] * matrices
    return apply(mixed, models.vertices[:, None])


def varied_vertices(
    vertices: Tensor, models: ModelBatch, times: Tensor, still: Tensor, settings: SynthesisSettings, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Random changes of shape and motion of the whole. vertices (V, T, 3), times (B, T), still (B,): such clips get no
    motion here -> vertices (V, T, 3), and which clips are mirrored (B,), so that their faces turn inside out."""
    clip = models.vertex_clip
    vertices = normalised(vertices, models)
    mirrored = torch.zeros_like(still)
    if settings.shape_share:
        vertices, mirrored = _shaped(vertices, clip, times, settings.shape_share, draws)
    if settings.wave_share:
        vertices = _waving(vertices, clip, times, still, settings.wave_share, draws)
    if settings.travel_share:
        vertices = _travelling(vertices, clip, times, still, settings.travel_share, draws)
    vertices = normalised(vertices, models)
    if settings.tiny_share:
        vertices = hardly_moving(vertices, models, draws.chance(settings.tiny_share, len(still)), draws)
    return vertices, mirrored


def hardly_moving(vertices: Tensor, models: ModelBatch, chosen: Tensor, draws: Draws) -> Tensor:
    """vertices (V, T, 3) in normalised space -> the same, with the motion of the chosen clips (B,) made so small that
    its mean is in LEAST_MOTION, or, of some, without any."""
    batch = len(chosen)
    moved = vertices[:, 1:] - vertices[:, :1]
    counts = torch.bincount(models.vertex_clip, minlength=batch)
    total = torch.zeros(batch, device=moved.device).index_add_(0, models.vertex_clip, moved.norm(dim=-1).mean(dim=1))
    size = draws.log_uniform(*LEAST_MOTION, batch) * ~draws.chance(MOTIONLESS_SHARE, batch)
    factor = torch.where(chosen, (size * counts / total.clamp(min=1e-9)).clamp(max=1), torch.ones_like(size))
    return torch.cat([vertices[:, :1], vertices[:, :1] + factor[models.vertex_clip, None, None] * moved], dim=1)


def normalised(vertices: Tensor, models: ModelBatch) -> Tensor:
    """Into normalised space: frame 0 centred with longest side 1, the other frames alike. vertices (V, T, 3)."""
    first = vertices[:, 0][models.clip_vertices]  # (B, most, 3)
    low, high = first.amin(dim=1), first.amax(dim=1)
    size = (high - low).amax(dim=1).clamp(min=1e-6)
    clip = models.vertex_clip
    return (vertices - ((low + high) / 2)[clip, None]) / size[clip, None, None]


def _shaped(vertices: Tensor, clip: Tensor, times: Tensor, share: float, draws: Draws) -> tuple[Tensor, Tensor]:
    b = times.shape[0]
    chosen = draws.chance(share, b, 1)
    scale = torch.where(chosen, draws.log_uniform(0.78, 1.28, b, 3), torch.ones(b, 3, device=clip.device))
    mirrored = draws.chance(0.5, b) & chosen[:, 0]
    scale[:, 0] = torch.where(mirrored, -scale[:, 0], scale[:, 0])
    vertices = vertices * scale[clip, None]
    amplitude = draws.uniform(0, 0.05, b, STATIC_WAVES) * chosen
    phase = draws.uniform(0, 2 * math.pi, b, 1, STATIC_WAVES)
    return vertices + _waves(vertices, clip, amplitude, phase, draws), mirrored


def _waving(vertices: Tensor, clip: Tensor, times: Tensor, still: Tensor, share: float, draws: Draws) -> Tensor:
    b = times.shape[0]
    amplitude = draws.uniform(0, 0.12, b, MOVING_WAVES) * (draws.chance(share, b, 1) & ~still[:, None])
    cycles = draws.uniform(-1.5, 1.5, b, 1, MOVING_WAVES) / times.shape[1]
    phase = 2 * math.pi * (draws.uniform(0, 1, b, 1, MOVING_WAVES) + cycles * times[..., None])
    return vertices + _waves(vertices, clip, amplitude, phase, draws)


def _waves(vertices: Tensor, clip: Tensor, amplitude: Tensor, phase: Tensor, draws: Draws) -> Tensor:
    """amplitude (B, M), phase (B, T or 1, M) -> offsets (V, T, 3): sums of M smooth plane waves."""
    b, waves = amplitude.shape
    across = draws.directions(b, waves) * draws.uniform(1.0, 5.0, b, waves, 1)
    towards = draws.directions(b, waves)
    total = torch.zeros_like(vertices)
    for wave in range(waves):
        angle = (vertices * across[clip, None, wave]).sum(dim=-1) + phase[clip, :, wave]
        total += (amplitude[clip, wave, None] * angle.sin())[..., None] * towards[clip, None, wave]
    return total


def _travelling(vertices: Tensor, clip: Tensor, times: Tensor, still: Tensor, share: float, draws: Draws) -> Tensor:
    b = times.shape[0]
    chosen = draws.chance(share, b, 1) & ~still[:, None]
    upright = draws.chance(0.6, b, 1)
    axis = torch.where(upright, torch.tensor([0.0, 1.0, 0.0], device=clip.device), draws.directions(b))
    angle = draws.smooth_curves(times) * math.radians(50) * draws.uniform(0, 1, b, 1) * chosen
    rotation = rotation_about(axis[:, None] * angle[..., None])
    shift = draws.smooth_curves(times, 3) * (draws.uniform(0, 0.3, b, 1) * chosen)[..., None]
    return turn(rotation[clip], vertices) + shift[clip]
