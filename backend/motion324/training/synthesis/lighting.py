"""Draws the light that falls on the models: its colours, even and uneven shade, and the shadows that they cast onto
themselves.

Letters: B clips, T frames, Q places, V vertices and F faces of all clips together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.node_model.geometry import turn
from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.rasteriser import rasterise
from motion324.training.synthesis.rig_bank import Draws, ModelBatch

SHADOW_WAVES = 3
MAP_SIDE = 192  # of what the light meets first
MAP_DISTANCE = 20.0  # of the light's plane from the middle
SHADOW_BIAS = 0.03  # so that a surface does not shade itself


@dataclass(frozen=True)
class Lights:
    """Of B clips, in normalised space. direction (B, 3): towards the light. ambient, shine (B,). sky (B, 3): colour of
    what lights from above, less that from below. Shadows that stay where they are: shade_waves (B, 3, M), shade_phases
    (B, M), shade (B,): how dark, shade_edge (B,): how sharp. lamp, around (B, 3): colour and strength of the light, and
    of what comes from all around. sides (B, 3, 3): how much more of each colour comes from +x, +y and +z than from
    everywhere. grazing (B, 3): what a surface adds that is seen from its side."""

    direction: Tensor
    ambient: Tensor
    shine: Tensor
    sky: Tensor
    shade_waves: Tensor
    shade_phases: Tensor
    shade: Tensor
    shade_edge: Tensor
    lamp: Tensor
    around: Tensor
    sides: Tensor
    grazing: Tensor

    def lit(
        self, colours: Tensor, normals: Tensor, to_eye: Tensor, places: Tensor, unshadowed: Tensor, clip: Tensor
    ) -> Tensor:
        """colours, normals, to_eye, places (Q, 3), unshadowed (Q,): how much of the light comes there, clip (Q,) ->
        (Q, 3). The back of a face is lit as its front."""
        facing = (normals * to_eye).sum(dim=-1, keepdim=True)
        normals = torch.where(facing < 0, -normals, normals)
        light = self.direction[clip]
        lambert = (normals * light).sum(dim=-1).clamp(min=0)
        half = light + to_eye
        half = half / half.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        highlight = self.shine[clip] * (normals * half).sum(dim=-1).clamp(min=0) ** 20
        ambient = self.ambient[clip]
        angles = (places[..., None] * self.shade_waves[clip]).sum(dim=1) + self.shade_phases[clip]
        shadow = self.shade[clip] * (self.shade_edge[clip] * angles.sin().sum(dim=-1)).sigmoid()
        comes = self.lamp[clip] * ((1 - shadow) * unshadowed)[:, None]
        uneven = 1 + normals[:, 1:2] * self.sky[clip] + (normals[:, :, None] * self.sides[clip]).sum(dim=1)
        around = ambient[:, None] * uneven.clamp(min=0.1) * (1 - 0.4 * shadow)[:, None] * self.around[clip]
        grazing = self.grazing[clip] * ((1 - facing.abs()).clamp(min=0) ** 3)
        return colours * (around + ((1 - ambient) * lambert)[:, None] * comes) + highlight[:, None] * comes + grazing


def sample_lights(batch: int, settings: SynthesisSettings, draws: Draws) -> Lights:
    direction = draws.directions(batch)
    direction[:, 1] = direction[:, 1].abs() * torch.where(draws.chance(0.85, batch), 1.0, -1.0)
    shine = draws.chance(0.3, batch) * draws.uniform(0, 0.5, batch)
    shadowed = draws.chance(settings.shadow_share, batch)
    frequency = draws.log_uniform(2, 8, batch, 1, 1) * draws.log_uniform(0.6, 1.7, batch, SHADOW_WAVES, 1)
    return Lights(
        direction,
        draws.uniform(0.3, 0.95, batch),
        shine,
        sky=0.35 * shadowed[:, None] * draws.uniform(0, 1, batch, 1) * draws.uniform(0.4, 1, batch, 3),
        shade_waves=(draws.directions(batch, SHADOW_WAVES) * frequency).transpose(1, 2),
        shade_phases=draws.uniform(0, 2 * math.pi, batch, SHADOW_WAVES),
        shade=shadowed * draws.uniform(0, 0.9, batch),
        shade_edge=draws.log_uniform(1, 12, batch),
        **_coloured_light(batch, settings, draws),
        **_light_of_a_place(batch, settings, draws),
    )


def _coloured_light(batch: int, settings: SynthesisSettings, draws: Draws) -> dict[str, Tensor]:
    """Warm or cold light of its own strength, and what comes from around in other colours; else white."""
    if not settings.lamp_share:
        white = torch.ones(batch, 3, device=draws.device)
        return {"lamp": white, "around": white}
    chosen = draws.chance(settings.lamp_share, batch, 1)
    found = {}
    for name, dimmest, brightest in (("lamp", 0.8, 2.0), ("around", 0.4, 1.1)):
        strength = draws.log_uniform(dimmest, brightest, batch, 1) * (0.15 * draws.normal(batch, 3)).exp()
        found[name] = torch.where(chosen, strength, torch.ones_like(strength))
    return found


def _light_of_a_place(batch: int, settings: SynthesisSettings, draws: Draws) -> dict[str, Tensor]:
    """Brighter and of other colours from some sides, as of windows, walls and grass, and a sheen of it; else none."""
    if not settings.around_share:
        none = torch.zeros(batch, 3, 3, device=draws.device)
        return {"sides": none, "grazing": none[:, 0]}
    chosen = draws.chance(settings.around_share, batch, 1, 1)
    towards, strength = draws.directions(batch, 1).mT, draws.uniform(0.1, 0.7, batch, 1, 1)  # (B, 3, 1): one side
    sides = strength * towards * (1 + 0.3 * draws.normal(batch, 1, 3)) + 0.12 * draws.normal(batch, 3, 3)
    sheen = draws.chance(0.5, batch, 1) * draws.uniform(0, 0.3, batch, 1) * draws.uniform(0.5, 1, batch, 3)
    return {"sides": chosen * sides, "grazing": chosen[:, 0] * sheen}


@dataclass(frozen=True)
class CastShadows:
    """What the light meets first, of B clips. axes (B, 3, 3): right, down, and towards the light. reach (B,): of the
    map from its middle. nearness (B * T, S, S): one over the distance from the light's plane, 0 where nothing is met.
    frames: T."""

    axes: Tensor
    reach: Tensor
    nearness: Tensor
    frames: int

    def missed(self, places: Tensor, clip: Tensor, time: Tensor) -> Tensor:
        """places (Q, 3) of the clips (Q,) in the frames time (Q,) -> (Q,): 1 where the light comes, else 0."""
        along = turn(self.axes[clip], places)
        side = self.nearness.shape[-1]
        pixel = ((along[:, :2] / self.reach[clip, None] + 1) / 2 * side).long().clamp(0, side - 1)
        met = self.nearness[clip * self.frames + time, pixel[:, 1], pixel[:, 0]]
        return 1 - (met > 1 / (MAP_DISTANCE - along[:, 2] - SHADOW_BIAS)).to(places.dtype)


def cast_shadows(
    vertices: Tensor, models: ModelBatch, lights: Lights, settings: SynthesisSettings, draws: Draws
) -> CastShadows | None:
    """Of some clips the shadows that the object casts onto itself; None where no clip is to have any.

    vertices (V, T, 3). The map is drawn from so far away that what is seen hardly differs from what parallel light
    meets.
    """
    if not settings.cast_shadow_share:
        return None
    batch, frames = len(lights.direction), vertices.shape[1]
    chosen = draws.chance(settings.cast_shadow_share, batch)
    ahead = lights.direction
    right = F.normalize(torch.linalg.cross(ahead, ahead.roll(1, dims=-1) + 0.1), dim=-1)
    axes = torch.stack([right, torch.linalg.cross(ahead, right), ahead], dim=1)
    along = turn(axes[models.vertex_clip, None], vertices)
    reach = 1.02 * along[..., :2].abs().amax(dim=(1, 2))[models.clip_vertices].amax(dim=1)
    pixels = (along[..., :2] / reach[models.vertex_clip, None, None] + 1) / 2 * MAP_SIDE
    corners = pixels[models.faces].permute(2, 0, 1, 3).flatten(0, 1)
    depths = (MAP_DISTANCE - along[..., 2])[models.faces].permute(2, 0, 1).flatten(0, 1)
    step = torch.arange(frames, device=depths.device)[:, None]
    frame = (models.face_clip[None] * frames + step).flatten()
    seen = chosen[models.face_clip].repeat(frames)[:, None]
    nothing = torch.zeros_like(depths)  # too near to be drawn
    drawn = rasterise(corners, torch.where(seen, depths, nothing), frame, batch * frames, MAP_SIDE)
    return CastShadows(axes, reach, drawn.nearness, frames)
