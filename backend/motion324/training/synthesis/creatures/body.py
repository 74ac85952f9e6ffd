"""Builds the body of a creature: its bones in the rest pose, and its surface, a tube around every chain of bones, with
eyes and other parts, weights and colours.

Y is up, +Z its front, +X its left; lengths as they come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

ONE_SKIN_SHARE = 0.6  # of the bodies that are not rigid
MIRROR = np.array([-1.0, 1.0, 1.0])
CAP = np.array([0.45, 0.8])  # a rounded end's rings: how far out, in radii, and ...
CAP_RADIUS = np.array([0.89, 0.6])  # ... how wide


@dataclass(frozen=True)
class Bone:
    """parent: index of a bone before it, -1 for the root. head, tail (3,): where it starts (and turns), and ends.

    role: what it is part of: spine, neck, head, leg, arm, wing, fin, tail, feeler, finger, cloth, lid, wheel, rotor,
    propeller, blade. link: its number along its chain.
    side: 1 left, -1 right, 0 in the middle. phase: of its chain in a gait, radians.
    """

    parent: int
    head: np.ndarray
    tail: np.ndarray
    role: str
    link: int
    side: int
    phase: float


@dataclass(frozen=True)
class Chain:
    """Bones with one skin. radii (bones + 1,): at the joints. flat: height over width of the cross-section."""

    bones: list[int]
    radii: np.ndarray
    flat: float


@dataclass
class Body:
    """A creature that is being put together."""

    bones: list[Bone] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)

    def grow(
        self,
        parent: int,
        start: np.ndarray,
        steps: np.ndarray,
        radii: Sequence[float] | np.ndarray,
        role: str,
        side: int = 0,
        phase: float = 0.0,
        flat: float = 1.0,
    ) -> list[int]:
        """A chain of bones from `start` by `steps` (bones, 3). radii (bones + 1,). Returns the bones' indices."""
        first = len(self.bones)
        joints = start + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
        for link in range(len(steps)):
            before = parent if link == 0 else first + link - 1
            self.bones.append(Bone(before, joints[link], joints[link + 1], role, link, side, phase))
        grown = list(range(first, len(self.bones)))
        self.chains.append(Chain(grown, np.asarray(radii, float), flat))
        return grown

    def grow_pair(
        self,
        parent: int,
        start: np.ndarray,
        steps: np.ndarray,
        radii: Sequence[float] | np.ndarray,
        role: str,
        phases: tuple[float, float],
        flat: float = 1.0,
    ) -> None:
        """The chain on the left (start has x >= 0) and its mirror image on the right."""
        self.grow(parent, start, steps, radii, role, 1, phases[0], flat)
        self.grow(parent, start * MIRROR, steps * MIRROR, radii, role, -1, phases[1], flat)

    def end(self, bone: int) -> np.ndarray:
        return self.bones[bone].tail

    def at(self, bone: int, share: float) -> np.ndarray:
        """A place along a bone."""
        found: np.ndarray = self.bones[bone].head + share * (self.bones[bone].tail - self.bones[bone].head)
        return found


@dataclass
class Surface:
    """vertices (N, 3), faces (F, 3), colours (N, 3) sRGB, weights (N, bones)."""

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    weights: np.ndarray

    def __add__(self, other: Surface) -> Surface:
        return Surface(
            np.concatenate([self.vertices, other.vertices]),
            np.concatenate([self.faces, other.faces + len(self.vertices)]),
            np.concatenate([self.colours, other.colours]),
            np.concatenate([self.weights, other.weights]),
        )


@dataclass(frozen=True)
class Style:
    """sides: corners of a tube's cross-section. rings: per bone. square: 2 round, larger boxy. blend: of a bone's
    length over which it hands over to the next, 0 for parts that are rigid. colours (4, 3): body, ends, parts, eyes.
    one_skin: around all round parts, instead of a tube each."""

    sides: int
    rings: int
    square: float
    blend: float
    colours: np.ndarray
    one_skin: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator, rigid: bool) -> Style:
        base = rng.uniform(0.05, 0.95, (4, 3))
        base[1] = np.clip(base[0] + rng.normal(0, 0.25, 3), 0, 1)
        base[3] = rng.choice([0.04, 0.96])
        square = rng.uniform(4, 9) if rigid or rng.random() < 0.15 else rng.uniform(2, 2.6)
        blend = 0.0 if rigid else rng.uniform(0.15, 0.45)
        sides, rings = int(rng.integers(5, 12)), int(rng.integers(2, 5))
        return cls(sides, rings, square, blend, base, not rigid and rng.random() < ONE_SKIN_SHARE)


def tube(body: Body, chain: Chain, style: Style) -> Surface:
    joints = np.array([body.bones[chain.bones[0]].head] + [body.bones[bone].tail for bone in chain.bones])
    count = len(chain.bones)
    along = np.linspace(0, count, count * style.rings + 1)  # in bones
    centres = np.stack([np.interp(along, np.arange(count + 1), joints[:, axis]) for axis in range(3)], axis=1)
    radii = np.interp(along, np.arange(count + 1), chain.radii)
    first, last = _unit(joints[1] - joints[0]), _unit(joints[-1] - joints[-2])
    start = centres[0] - first * radii[0] * CAP[::-1, None]
    end = centres[-1] + last * radii[-1] * CAP[:, None]
    centres = np.concatenate([start, centres, end])
    radii = np.concatenate([radii[0] * CAP_RADIUS[::-1], radii, radii[-1] * CAP_RADIUS])
    along = np.concatenate([[0.0] * len(CAP), along, [float(count)] * len(CAP)])
    directions = _unit(np.gradient(centres, axis=0))
    across, above = _frames(directions)
    angle = 2 * math.pi * np.arange(style.sides) / style.sides
    x, y = _rounded_square(angle, style.square)
    ring = x[None, :, None] * across[:, None] + chain.flat * y[None, :, None] * above[:, None]
    vertices = (centres[:, None] + radii[:, None, None] * ring).reshape(-1, 3)
    poles = np.stack([centres[0] - first * 0.15 * chain.radii[0], centres[-1] + last * 0.15 * chain.radii[-1]])
    weights = np.zeros((len(along), len(body.bones)))
    weights[:, chain.bones] = _chain_weights(along, count, style.blend)
    ends = np.clip(along / count, 0, 1)[:, None] ** 3
    colours = style.colours[0] * (1 - ends) + style.colours[1] * ends
    return Surface(
        np.concatenate([vertices, poles]),
        _tube_faces(len(centres), style.sides),
        np.concatenate([np.repeat(colours, style.sides, axis=0), colours[[0, -1]]]),
        np.concatenate([np.repeat(weights, style.sides, axis=0), weights[[0, -1]]]),
    )


def ball(
    centre: np.ndarray, size: np.ndarray, bone: int, bones: int, colour: np.ndarray, square: float = 2.0
) -> Surface:
    """An ellipsoid, or nearly a box, that moves with one bone."""
    rings, sides = 4, 7
    tilt = np.linspace(-math.pi / 2, math.pi / 2, rings + 2)[1:-1]
    angle = 2 * math.pi * np.arange(sides) / sides
    x, y = _rounded_square(angle, square)
    unit = np.stack(
        [
            np.cos(tilt)[:, None] * x,
            np.cos(tilt)[:, None] * y,
            np.broadcast_to(np.sin(tilt)[:, None], (rings, sides)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    places = np.concatenate([unit, [[0, 0, -1.0], [0, 0, 1.0]]])
    weights = np.zeros((len(places), bones))
    weights[:, bone] = 1
    return Surface(centre + size * places, _tube_faces(rings, sides), np.tile(colour, (len(places), 1)), weights)


def _chain_weights(along: np.ndarray, count: int, blend: float) -> np.ndarray:
    """along (R,): in bones -> (R, count). Within `blend` of a joint one bone hands over to the next."""
    edges = np.arange(1, count)
    if blend > 0:
        passed = np.clip((along[:, None] - edges) / (2 * blend) + 0.5, 0, 1)
        passed = passed * passed * (3 - 2 * passed)
    else:
        passed = (along[:, None] > edges).astype(float)
    passed = np.concatenate([np.ones((len(along), 1)), passed, np.zeros((len(along), 1))], axis=1)
    return np.clip(passed[:, :-1] - passed[:, 1:], 0, 1)


def _tube_faces(rings: int, sides: int) -> np.ndarray:
    """Of rings one after the other, then the pole before the first and the one after the last."""
    faces = []
    for ring in range(rings - 1):
        for side in range(sides):
            a, b = ring * sides + side, ring * sides + (side + 1) % sides
            faces += [(a, b, b + sides), (a, b + sides, a + sides)]
    first, last = rings * sides, rings * sides + 1
    for side in range(sides):
        after = (side + 1) % sides
        faces += [(first, after, side), (last, (rings - 1) * sides + side, (rings - 1) * sides + after)]
    return np.array(faces)


def _frames(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two axes across each direction (R, 3): the first as level as may be."""
    upright = np.abs(directions[:, 1]) > 0.9
    reference = np.where(upright[:, None], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    across = _unit(np.cross(reference, directions))
    return across, np.cross(directions, across)


def _rounded_square(angle: np.ndarray, square: float) -> tuple[np.ndarray, np.ndarray]:
    """A superellipse: a circle for 2."""
    cosine, sine = np.cos(angle), np.sin(angle)
    radius = (np.abs(cosine) ** square + np.abs(sine) ** square) ** (-1 / square)
    return radius * cosine, radius * sine


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
