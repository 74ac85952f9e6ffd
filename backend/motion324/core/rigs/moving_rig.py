"""A skinned mesh whose bones move: where bones and vertices are in every frame, and what game engines do with them.

T frames, J bones, N vertices, K weights of a vertex. Matrices multiply columns; quaternions are w, x, y, z. Each bone
inherits all that its parent does, as in glTF, FBX and engines, and the mesh is skinned by linear blending.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.core.motion.quaternions import from_quaternion, same_side, to_quaternion


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
    matrices = np.zeros((*rotation.shape[:-1], 4, 4))
    matrices[..., :3, :3] = from_quaternion(rotation)
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
    return BoneCurves(own[..., :3, 3], same_side(to_quaternion(left @ right)), scale)


def with_fewer_influences(joints: np.ndarray, weights: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The `most` heaviest weights of each vertex, with the sum 1."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :most]
    joints, weights = np.take_along_axis(joints, order, axis=1), np.take_along_axis(weights, order, axis=1)
    return joints, weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
