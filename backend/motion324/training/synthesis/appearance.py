"""Draws how the models look: colours of their parts, and textures that stick to the surface.

A texture is a function of a place on the rest pose, so that it moves with the surface.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.geometry import rotation_about
from motion324.training.synthesis.rig_bank import Draws, ModelBatch

WAVES = 3
BLOTCHES = 6  # waves of textures like photographs'
PALETTE = 64
CHECKS, SPOTS, PATCHES = 1, 2, 3  # kinds of patterns


@dataclass(frozen=True)
class Appearance:
    """Of B clips. vertex_colours (V, 3). Textures: waves (B, 3, M) over the rest pose, phases (B, M), paint (B, 3), how
    strongly it covers (B,), and how sharp its borders are (B,). sharp_below (B,): cosine of the angle between a face
    and the smooth surface from which on the face is shaded flat. Blotches: blotch_waves (B, 3, M'), blotch_phases
    (B, M'), each bent by the one before it, and the colours that they add (B, M', 3). Patterns: cells (B, 3, 3) takes a
    place on the rest pose to its cell, pattern (B,) is the kind, 0 for none, pattern_paint (B, 3) its colour."""

    vertex_colours: Tensor
    waves: Tensor
    phases: Tensor
    paint: Tensor
    strength: Tensor
    sharpness: Tensor
    sharp_below: Tensor
    blotch_waves: Tensor
    blotch_phases: Tensor
    blotch_colours: Tensor
    cells: Tensor
    pattern: Tensor
    pattern_paint: Tensor

    def coloured(self, base: Tensor, rest: Tensor, clip: Tensor) -> Tensor:
        """Colours of places on the surface. base (Q, 3): interpolated vertex colours, rest (Q, 3), clip (Q,)."""
        angles = (rest[..., None] * self.waves[clip]).sum(dim=1) + self.phases[clip]
        pattern = angles.sin().sum(dim=-1)
        cover = (self.sharpness[clip] * pattern).sigmoid() * self.strength[clip]
        colours = torch.lerp(base, self.paint[clip], cover[:, None])
        angles = (rest[..., None] * self.blotch_waves[clip]).sum(dim=1) + self.blotch_phases[clip]
        bent = torch.zeros_like(cover)
        for wave in range(BLOTCHES):
            bent = (angles[:, wave] + 1.7 * bent).sin()
            colours = colours + bent[:, None] * self.blotch_colours[clip, wave]
        return self._patterned(colours, rest, clip).clamp(0, 1)

    def _patterned(self, colours: Tensor, rest: Tensor, clip: Tensor) -> Tensor:
        """Checks, round spots of many sizes, or patches of several shades, each with borders as sharp as a print's."""
        place = (self.cells[clip] * rest[:, None]).sum(dim=-1)
        cell = place.floor()
        mark = (127.1 * cell[:, 0] + 311.7 * cell[:, 1] + 74.7 * cell[:, 2]).sin()  # of each cell, as shaders do it
        chance = torch.stack([437.585 * mark, 715.31 * mark, 231.79 * mark], dim=-1).frac().abs()
        off = place - cell - 0.5 - 0.3 * (chance - 0.5)
        checked = cell.sum(dim=-1).remainder(2) < 0.5
        spotted = off.square().sum(dim=-1) < (0.12 + 0.25 * chance[:, 0]).square()
        kind = self.pattern[clip]
        painted = ((kind == CHECKS) & checked) | ((kind == SPOTS) & spotted)
        colours = torch.where(painted[:, None], self.pattern_paint[clip], colours)
        shade = 0.35 + 0.9 * chance
        return torch.where((kind == PATCHES)[:, None], colours * shade, colours)


def sample_appearance(models: ModelBatch, batch: int, settings: SynthesisSettings, draws: Draws) -> Appearance:
    directions = draws.directions(batch, WAVES)
    stripes = draws.chance(0.3, batch, 1, 1)  # one direction for all waves
    directions = torch.where(stripes, directions[:, :1], directions)
    frequency = draws.log_uniform(6, 60, batch, 1, 1) * draws.log_uniform(0.5, 2.0, batch, WAVES, 1)
    return Appearance(
        vertex_colours=_part_colours(models, batch, settings, draws),
        waves=(directions * frequency).transpose(1, 2),
        phases=draws.uniform(0, 2 * math.pi, batch, WAVES),
        paint=draws.uniform(0, 1, batch, 3),
        strength=draws.chance(settings.texture_share, batch) * draws.uniform(0.1, 1.0, batch),
        sharpness=draws.log_uniform(0.7, 15, batch),
        sharp_below=_sharp_below(batch, settings, draws),
        **_blotches(batch, settings, draws),
        **_patterns(batch, settings, draws),
    )


def _patterns(batch: int, settings: SynthesisSettings, draws: Draws) -> dict[str, Tensor]:
    if not settings.pattern_share:
        none = torch.zeros(batch, 3, 3, device=draws.device)
        return {"cells": none, "pattern": none[:, 0, 0].long(), "pattern_paint": none[:, 0]}
    frequency = draws.log_uniform(4, 30, batch, 1, 1)
    turned = rotation_about(draws.directions(batch) * draws.uniform(0, math.pi, batch, 1))
    kind = 1 + draws.below(torch.full((batch,), 3, device=draws.device))
    chosen = draws.chance(settings.pattern_share, batch)
    return {
        "cells": turned * frequency * draws.log_uniform(0.6, 1.6, batch, 3, 1),
        "pattern": torch.where(chosen, kind, torch.zeros_like(kind)),
        "pattern_paint": draws.uniform(0, 1, batch, 3),
    }


def _blotches(batch: int, settings: SynthesisSettings, draws: Draws) -> dict[str, Tensor]:
    """Octave by octave finer and fainter, of changing colours."""
    octave = torch.arange(BLOTCHES, device=draws.device).float()
    frequency = draws.log_uniform(3, 14, batch, 1) * 1.7**octave * draws.log_uniform(0.8, 1.25, batch, BLOTCHES)
    strength = draws.chance(settings.texture_share * settings.image_share, batch, 1) * draws.uniform(
        0.05, 0.3, batch, 1
    )
    colours = draws.normal(batch, BLOTCHES, 1) + 0.7 * draws.normal(batch, BLOTCHES, 3)
    return {
        "blotch_waves": (draws.directions(batch, BLOTCHES) * frequency[..., None]).transpose(1, 2),
        "blotch_phases": draws.uniform(0, 2 * math.pi, batch, BLOTCHES),
        "blotch_colours": colours * (strength * draws.uniform(0.6, 0.95, batch, 1) ** octave)[..., None],
    }


def _sharp_below(batch: int, settings: SynthesisSettings, draws: Draws) -> Tensor:
    """Flat faces in some clips, edges of more than a certain angle in others, as renderers usually have them."""
    kind = draws.uniform(0, 1, batch)
    edges = draws.uniform(math.radians(12), math.radians(40), batch).cos()
    edges = torch.where(kind < settings.edges_share, edges, torch.full_like(edges, -2.0))
    return torch.where(kind > 1 - settings.flat_share, torch.full_like(edges, 2.0), edges)


def _part_colours(models: ModelBatch, batch: int, settings: SynthesisSettings, draws: Draws) -> Tensor:
    """(V, 3): the file's own colours, those with other hues, or a random one per part."""
    clip = models.vertex_clip
    own = models.colours
    kind = draws.uniform(0, 1, batch)
    kept = kind < settings.original_colour_share
    by_joint = kind > (1 + settings.original_colour_share) / 2
    palette = _palette(batch, draws)
    quantised = (own * 7).round().long()
    number = (quantised * torch.tensor([1, 8, 64], device=clip.device)).sum(dim=-1)
    number = torch.where(by_joint[clip], models.parts * 7 + 3, number * 31) % PALETTE
    colours = torch.where(kept[clip, None], own, palette[clip, number])
    gain = (0.12 * draws.normal(batch, 3)).exp()
    gain = torch.where(kept[:, None], torch.ones_like(gain), gain)
    return (colours * gain[clip]).clamp(0, 1)


def _palette(batch: int, draws: Draws) -> Tensor:
    """(B, 64, 3): colours around a few of the clip's own, or all over."""
    few = draws.uniform(0, 1, batch, 4, 3)
    which = draws.below(torch.full((batch, PALETTE), 4, device=draws.device))
    near = few.gather(1, which[..., None].expand(-1, -1, 3)) + 0.06 * draws.normal(batch, PALETTE, 3)
    wild = draws.uniform(0, 1, batch, PALETTE, 3)
    return torch.where(draws.chance(0.3, batch, 1, 1), wild, near).clamp(0, 1)
