"""A skinned mesh whose bones move: where bones and vertices are in every frame, and what game engines do with them.

T frames, J bones, N vertices, K weights of a vertex. Matrices multiply columns; quaternions are w, x, y, z. Each bone
inherits all that its parent does, as in glTF, FBX and engines, and the mesh is skinned by linear blending.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BoneCurves:
    """location (T, J, 3), rotation (T, J, 4), scale (T, J, 3) float64: of each bone relative to its rest pose, in its
    own axes. Neighbouring frames have quaternions of the same side."""

    location: np.ndarray
    rotation: np.ndarray
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.location)

    def at(self, frames: np.ndarray | slice) -> BoneCurves:
        return BoneCurves(self.location[frames], self.rotation[frames], self.scale[frames])


@dataclass(frozen=True)
class MovingRig:
    """names, parents (J,) int: -1 for none; parents come before their children. rest (J, 4, 4) float64: rotations and
    heads, Z up, in metres, in the space of the vertices. lengths (J,).
    positions (N, 3): in the rest pose. joints (N, K) int, weights (N, K): of each vertex, with the sum 1.
    """

    names: tuple[str, ...]
    parents: np.ndarray
    rest: np.ndarray
    lengths: np.ndarray
    curves: BoneCurves
    positions: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    fps: float

    def matrices(self, curves: BoneCurves | None = None) -> np.ndarray:
        """(T, J, 4, 4): where the bones are."""
        curves = curves or self.curves
        own = matrices_of(curves.location, curves.rotation, curves.scale)
        inverse = np.linalg.inv(self.rest)
        found = np.empty_like(own)
        for j, parent in enumerate(self.parents):
            above = self.rest[j] if parent < 0 else found[:, parent] @ (inverse[parent] @ self.rest[j])
            found[:, j] = above @ own[:, j]
        return found

    def skinned(self, matrices: np.ndarray, vertices: np.ndarray | slice = slice(None)) -> np.ndarray:
        """matrices (T, J, 4, 4) of the bones -> positions (T, N, 3) float32 of the vertices."""
        moved = matrices @ np.linalg.inv(self.rest)
        points = np.concatenate([self.positions[vertices], np.ones_like(self.positions[vertices, :1])], axis=1)
        joints, weights = self.joints[vertices], self.weights[vertices]
        found = np.empty((len(matrices), len(points), 3), np.float32)
        for frame, target in zip(moved[:, :, :3], found, strict=True):
            blended = np.einsum("nk,nkab->nab", weights, frame[joints])
            target[:] = np.einsum("nab,nb->na", blended, points)
        return found


def matrices_of(location: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(..., 4, 4): scaled, then turned, then moved."""
    w, x, y, z = np.moveaxis(rotation / np.linalg.norm(rotation, axis=-1, keepdims=True), -1, 0)
    matrices = np.zeros((*rotation.shape[:-1], 4, 4))
    matrices[..., 0, :3] = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=-1)
    matrices[..., 1, :3] = np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=-1)
    matrices[..., 2, :3] = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1)
    matrices[..., :3, :3] *= scale[..., None, :]
    matrices[..., :3, 3] = location
    matrices[..., 3, 3] = 1
    return matrices


def curves_of(matrices: np.ndarray, parents: np.ndarray, rest: np.ndarray) -> BoneCurves:
    """From where bones are, (T, J, 4, 4); what shears them is left out, since no bone can say it."""
    inverse = np.linalg.inv(rest)
    own = np.empty_like(matrices)
    for j, parent in enumerate(parents):
        above = np.broadcast_to(rest[j], matrices[:, j].shape)
        if parent >= 0:
            above = matrices[:, parent] @ (inverse[parent] @ rest[j])
        own[:, j] = np.linalg.inv(above) @ matrices[:, j]
    scale = np.linalg.norm(own[..., :3, :3], axis=-2)
    left, _, right = np.linalg.svd(own[..., :3, :3] / np.maximum(scale, 1e-12)[..., None, :])
    return BoneCurves(own[..., :3, 3], continuous(quaternions_of(left @ right)), scale)


def quaternions_of(rotations: np.ndarray) -> np.ndarray:
    """(..., 3, 3) -> (..., 4): of four ways the one whose divisor is the largest."""
    m = rotations
    diagonal = np.stack([m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    x, y, z = np.moveaxis(diagonal, -1, 0)
    a, b, c = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    d, e, f = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    ways = np.stack(
        [
            np.stack([1 + x + y + z, a, b, c], axis=-1),
            np.stack([a, 1 + x - y - z, d, e], axis=-1),
            np.stack([b, d, 1 - x + y - z, f], axis=-1),
            np.stack([c, e, f, 1 - x - y + z], axis=-1),
        ],
        axis=-2,
    )
    best = np.diagonal(ways, axis1=-2, axis2=-1).argmax(axis=-1)
    chosen = np.take_along_axis(ways, best[..., None, None], axis=-2)[..., 0, :]
    return chosen / np.linalg.norm(chosen, axis=-1, keepdims=True)


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """(T, ..., 4): of the two quaternions of each turn the one nearer to that of the frame before."""
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
    return np.concatenate([quaternions[:1], quaternions[1:] * np.cumprod(flips, axis=0)])


def with_fewer_influences(joints: np.ndarray, weights: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The `most` heaviest weights of each vertex, with the sum 1."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :most]
    joints, weights = np.take_along_axis(joints, order, axis=1), np.take_along_axis(weights, order, axis=1)
    return joints, weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
