"""Linear blend skinning as one linear map, and the sums over vertices that a fit of bones needs.

A vertex is the weighted sum of where its bones would carry it, so the skinned mesh is B times the bones' matrices, with
B (N, 4J): the weight times (x, y, z, 1). All that a least squares fit asks of the vertices are B'B and B'Y, so that its
steps cost nothing per vertex.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from motion324.core.rigs.rig import Skin

BATCH = 32  # frames at a time


@dataclass(frozen=True)
class Basis:
    """B of N vertices and J bones, with K weights each. places (N, 4): x, y, z, 1; still (N, 3): what the vertices have
    of themselves, where weights lack to 1.
    """

    places: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    still: np.ndarray
    joint_count: int

    @classmethod
    def of(cls, skin: Skin, joint_count: int) -> Basis:
        positions = np.asarray(skin.positions, np.float64)
        weights = np.asarray(skin.weights, np.float64)
        still = (1 - weights.sum(axis=1))[:, None] * positions
        return cls(np.c_[positions, np.ones(len(positions))], np.asarray(skin.joints), weights, still, joint_count)

    @cached_property
    def gram(self) -> np.ndarray:
        """(4J, 4J): B'B."""
        count, width = self.joint_count, self.weights.shape[1]
        sums = np.zeros((count, 4, count, 4))
        for k, m in [(k, m) for k in range(width) for m in range(width)]:
            pair = self.joints[:, k].astype(np.int64) * count + self.joints[:, m]
            both = self.weights[:, k] * self.weights[:, m]
            for a, b in [(a, b) for a in range(4) for b in range(4)]:
                values = both * self.places[:, a] * self.places[:, b]
                sums[:, a, :, b] += np.bincount(pair, values, count * count).reshape(count, count)
        return sums.reshape(4 * count, 4 * count)

    def pull(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """targets (T, N, 3) -> B'Y (T, 4J, 3), and the sums of squares of Y (T,), Y without what stays still."""
        count = self.joint_count
        pulls = np.zeros((len(targets), count, 4, 3))
        squares = np.empty(len(targets))
        for frames in _few(len(targets)):
            moving = np.moveaxis(targets[frames] - self.still, 1, 0)  # (N, t, 3)
            squares[frames] = np.einsum("ntc,ntc->t", moving, moving)
            flat = np.ascontiguousarray(moving).reshape(len(self.still), -1)
            for joint, (held, weighted) in enumerate(self._held):
                pulled = (weighted.T @ flat[held]).reshape(4, -1, 3)
                pulls[frames, joint] = np.moveaxis(pulled, 1, 0)
        return pulls.reshape(len(targets), 4 * count, 3), squares

    def skinned(self, matrices: np.ndarray) -> np.ndarray:
        """matrices (T, J, 3, 4): from the rest pose to the bones -> (T, N, 3)."""
        places = np.empty((len(matrices), *self.still.shape))
        for frames in _few(len(matrices)):
            some = matrices[frames]
            flat = np.repeat(self.still[:, None], len(some), axis=1).reshape(len(self.still), -1)
            for joint, (held, weighted) in enumerate(self._held):
                flat[held] += weighted @ np.moveaxis(some[:, joint], 2, 0).reshape(4, -1)
            places[frames] = np.moveaxis(flat.reshape(len(self.still), len(some), 3), 1, 0)
        return places

    @cached_property
    def _held(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each bone the vertices that it holds, and their places times its weight (n, 4)."""
        held = []
        for joint in range(self.joint_count):
            weight = np.where(self.joints == joint, self.weights, 0.0).sum(axis=1)
            vertices = np.flatnonzero(weight)
            held.append((vertices, weight[vertices, None] * self.places[vertices]))
        return held


def _few(frames: int) -> list[slice]:
    """Parts of the frames, of which each bone's product is one that memory has room for."""
    return [slice(first, min(first + BATCH, frames)) for first in range(0, frames, BATCH)]


def stacked(matrices: np.ndarray) -> np.ndarray:
    """(..., J, 3, 4) -> (..., 4J, 3), as B is multiplied with."""
    turned = np.swapaxes(matrices, -1, -2)
    return np.ascontiguousarray(turned).reshape(*matrices.shape[:-3], 4 * matrices.shape[-3], 3)
