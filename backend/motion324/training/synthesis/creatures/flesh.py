"""Covers the bones of a creature with one skin, as sculptors do it: where limbs meet, they flow into each other.

The skin is where a field vanishes that falls off around all bones at once; it is found by a net of surfaces
(S. Gibson, "Constrained elastic surface nets", 1998): one vertex in every cell that the skin passes through.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from motion324.training.synthesis.creatures.body import Body, Chain, Style, Surface

CELLS = (30, 46)  # along the longest side
THINNEST = 0.9  # radius of a limb in cells, so that none falls apart
MELTING = (0.15, 0.6)  # of the limbs' mean radius: how far they flow into each other
LUMPS, MOST_LUMP = 5, 0.25  # waves of uneven flesh, in parts of the same radius
ROUND = (0.45, 2.2)  # chains whose height over width lies in between get this skin; flatter ones keep their tubes
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])


def is_round(chain: Chain) -> bool:
    return ROUND[0] <= chain.flat <= ROUND[1]


def flesh(body: Body, chains: Sequence[Chain], style: Style, rng: np.random.Generator) -> Surface:
    """One skin around these chains, with the weights of the bones nearby, and colours that change with their kinds."""
    bones = np.array([bone for chain in chains for bone in chain.bones])
    heads = np.array([body.bones[bone].head for bone in bones])
    tails = np.array([body.bones[bone].tail for bone in bones])
    radii = np.concatenate([np.stack([chain.radii[:-1], chain.radii[1:]], axis=1) for chain in chains])
    flats = np.concatenate([np.full(len(chain.bones), chain.flat) for chain in chains])
    mean = float(np.mean(radii))
    margin = 1.6 * float((radii.max(axis=1) * np.maximum(flats, 1)).max())
    low, high = np.minimum(heads, tails).min(axis=0) - margin, np.maximum(heads, tails).max(axis=0) + margin
    cell = float((high - low).max()) / int(rng.integers(*CELLS))
    radii = np.maximum(radii, THINNEST * cell)
    sizes = np.ceil((high - low) / cell).astype(int) + 2
    grid = low + cell * np.stack(np.meshgrid(*(np.arange(size) for size in sizes), indexing="ij"), axis=-1)
    melting = max(mean * rng.uniform(*MELTING), 0.3 * cell)
    apart = _distances(grid.reshape(-1, 3), heads, tails, radii, flats)
    nearest = apart.min(axis=1, keepdims=True)
    field = (nearest[:, 0] - melting * np.log(np.exp((nearest - apart) / melting).sum(axis=1))).reshape(sizes)
    field += _lumps(grid, mean, rng)
    vertices, faces = surface_net(field)
    vertices = low + cell * vertices
    apart = _distances(vertices, heads, tails, radii, flats)
    weights = np.zeros((len(vertices), len(body.bones)))
    weights[:, bones] = _weights(body, bones, apart, max(style.blend, 0.1) * mean)
    return Surface(vertices, faces, _colours(body, bones, apart, vertices, style, rng), weights)


def surface_net(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """field (X, Y, Z), below 0 inside, above 0 on the whole border -> vertices (N, 3) in cells, faces (F, 3) that face
    outwards: closed, one vertex in every cell that the field's sign changes in."""
    inside = field < 0
    cells = np.stack([inside[tuple(slice(o, o - 1 or None) for o in corner)] for corner in CORNERS])
    passed = cells.any(axis=0) & ~cells.all(axis=0)
    number = np.full(passed.shape, -1)
    number[passed] = np.arange(int(passed.sum()))
    base = np.argwhere(passed)
    values = np.stack([field[tuple((base + corner).T)] for corner in CORNERS], axis=1)
    total, count = np.zeros((len(base), 3)), np.zeros((len(base), 1))
    for a in range(8):
        for b in range(a + 1, 8):
            if np.abs(CORNERS[a] - CORNERS[b]).sum() == 1:
                crosses = ((values[:, a] < 0) != (values[:, b] < 0))[:, None]
                share = (values[:, a] / np.where(values[:, a] == values[:, b], 1, values[:, a] - values[:, b]))[:, None]
                total += crosses * (CORNERS[a] + share * (CORNERS[b] - CORNERS[a]))
                count += crosses
    faces = []
    for axis in range(3):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        ahead = np.roll(inside, -1, axis=axis)
        edge = inside != ahead
        edge[tuple(slice(-1, None) if axis == a else slice(None) for a in range(3))] = False
        at = np.argwhere(edge)
        steps = np.zeros((4, 3), int)
        steps[1, one] = steps[2, one] = steps[2, two] = steps[3, two] = -1
        ring = np.stack([number[tuple((at + step).T)] for step in steps], axis=1)
        outwards = inside[tuple(at.T)]
        ring[~outwards] = ring[~outwards][:, ::-1]
        faces += [ring[:, [0, 1, 2]], ring[:, [0, 2, 3]]]
    return base + total / count, np.concatenate(faces)


def _distances(
    places: np.ndarray, heads: np.ndarray, tails: np.ndarray, radii: np.ndarray, flats: np.ndarray
) -> np.ndarray:
    """places (N, 3) -> (N, bones): from the surface of each bone's cone, roughly, below 0 inside of it."""
    found = np.zeros((len(places), len(heads)))
    for bone, (head, tail, (first, last), flat) in enumerate(zip(heads, tails, radii, flats, strict=True)):
        along = tail - head
        share = np.clip((places - head) @ along / max(along @ along, 1e-12), 0, 1)
        off = places - head - share[:, None] * along
        squared = (off**2).sum(axis=1) + (1 / flat**2 - 1) * off[:, 1] ** 2 * (
            abs(along[1]) < 0.7 * np.linalg.norm(along)
        )
        found[:, bone] = np.sqrt(squared) - (first + share * (last - first))
    return found


def _weights(body: Body, bones: np.ndarray, apart: np.ndarray, width: float) -> np.ndarray:
    """(N, bones): of the nearest bone, and beside it of those that it hangs on or that hang on it."""
    parents = np.array([body.bones[bone].parent for bone in bones])
    joined = (parents[:, None] == bones) | (bones[:, None] == parents) | np.eye(len(bones), dtype=bool)
    nearest = apart.argmin(axis=1)
    near = np.exp(np.clip((apart.min(axis=1, keepdims=True) - apart) / width, -40, 0)) * joined[nearest]
    found: np.ndarray = near / near.sum(axis=1, keepdims=True)
    return found


def _lumps(grid: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    total = np.zeros(grid.shape[:3])
    amount = size * rng.uniform(0, MOST_LUMP)
    for _ in range(LUMPS):
        across = rng.normal(0, 1, 3) * rng.uniform(0.3, 1.2) / size
        total += amount / LUMPS * np.sin(grid @ across + rng.uniform(0, 2 * math.pi))
    return total


def _colours(
    body: Body, bones: np.ndarray, apart: np.ndarray, vertices: np.ndarray, style: Style, rng: np.random.Generator
) -> np.ndarray:
    """(N, 3): of each kind of part a shade, softly or sharply divided, and often a lighter belly."""
    roles = sorted({body.bones[bone].role for bone in bones})
    shades = {role: np.clip(style.colours[rng.integers(0, 3)] + rng.normal(0, 0.1, 3), 0, 1) for role in roles}
    soft = np.exp(np.clip((apart.min(axis=1, keepdims=True) - apart) / (0.05 * rng.uniform(0.1, 1)), -40, 0))
    colours = soft @ np.array([shades[body.bones[bone].role] for bone in bones]) / soft.sum(axis=1, keepdims=True)
    height = (vertices[:, 1] - vertices[:, 1].min()) / max(float(np.ptp(vertices[:, 1])), 1e-6)
    belly = rng.uniform(0, 0.7) * (rng.random() < 0.6) / (1 + np.exp((height - rng.uniform(0.3, 0.6)) / 0.06))
    found: np.ndarray = colours + belly[:, None] * (style.colours[1] - colours)
    return found
