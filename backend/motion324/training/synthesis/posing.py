"""Posed, warped and normalised vertices of a batch. V vertices of all B clips together; see rig_bank.py."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.draws import Draws
from motion324.training.synthesis.rig_bank import ModelBatch
from motion324.training.synthesis.rotations import apply, rotation_about, turn

STATIC_WAVES, MOVING_WAVES = 3, 2


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
    return normalised(vertices, models), mirrored


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
