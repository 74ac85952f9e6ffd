"""Covers a creature: with flesh or with tubes, with eyes, and with things that stick to it."""

from __future__ import annotations

import numpy as np

from motion324.training.synthesis.creatures.body import Body, Style, Surface, ball, tube
from motion324.training.synthesis.creatures.flesh import flesh, is_round


def skinned_surface(body: Body, style: Style, rng: np.random.Generator) -> Surface:
    """Of the whole creature: its flesh or tubes, eyes, and things that stick to it."""
    round_ones = [chain for chain in body.chains if style.one_skin and is_round(chain)]
    parts = [flesh(body, round_ones, style, rng)] if round_ones else []
    parts += [tube(body, chain, style) for chain in body.chains if not style.one_skin or not is_round(chain)]
    surface = parts[0]
    for part in parts[1:]:
        surface = surface + part
    for number, bone in enumerate(body.bones):
        if bone.role == "head":
            surface = surface + _eyes(body, number, style, rng)
    for _ in range(rng.integers(0, 4)):
        chain = body.chains[int(rng.integers(len(body.chains)))]
        place = body.at(chain.bones[0], rng.random()) + rng.normal(0, 0.6, 3) * chain.radii[0]
        size = chain.radii.max() * rng.uniform(0.2, 0.7, 3)
        surface = surface + ball(place, size, chain.bones[0], len(body.bones), style.colours[2], style.square)
    return surface


def _eyes(body: Body, head: int, style: Style, rng: np.random.Generator) -> Surface:
    bone = body.bones[head]
    chain = next(chain for chain in body.chains if head in chain.bones)
    radius = chain.radii.max()
    size = radius * rng.uniform(0.15, 0.35)
    place = body.at(head, rng.uniform(0.3, 0.7))
    front = np.array([0, 0, 0.9 * radius]) if abs(bone.tail[1] - bone.head[1]) > abs(bone.tail[2] - bone.head[2]) else 0
    offset = np.array([0.55 * radius, 0.5 * radius, 0])
    surfaces = [
        ball(place + front + offset * [side, 1, 1], np.full(3, size), head, len(body.bones), style.colours[3])
        for side in (1, -1)
    ]
    return surfaces[0] + surfaces[1]
