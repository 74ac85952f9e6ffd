"""The bones of a creature in its rest pose. Y is up, +Z its front, +X its left; lengths as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Bone:
    """parent: index of a bone before it, -1 for the root. head, tail (3,): where it starts (and turns), and ends.

    role: what it is part of: spine, neck, head, leg, arm, wing, fin, tail, feeler. link: its number along its chain.
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
