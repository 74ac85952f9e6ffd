"""Moves points that follow a deformation graph, and sums their part of the normal equations, of many frames at once.

Which node moves which point, and from where, is the same in every frame and step. So what depends on it alone stands in
two sparse matrices, made once, and each sum over points is a product with one of them: the same sums as in
normal_equations.py, and no two threads ever add to one place, so that a result is the same every time.

Letters: B frames, P points, K nodes, S pairs of nodes whose blocks of the equations are not 0.
A point's change by the six unknowns of its node, D = w [ -[R (p - g)]_x, I ], is linear in a = (1, p - g): it is
w sum_m a_m F_m, where F depends on the node's rotation only. So sum_p D_i^T M D_j is
F_i^T (sum_p w_i w_j a_i a_j M) F_j.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_matrix, csr_matrix
from torch import Tensor

from motion324.reconstructors.deformation_fit.deformation_graph import DeformationGraph
from motion324.reconstructors.deformation_fit.fit_problem import Pose

HALF = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # of a symmetric 3 x 3 matrix
UNTURNED = 0.01  # how much no rotation counts beside what a node's points say
LEAST_WEIGHT = 1e-9  # of a node's points, to say anything
WHOLE = [0, 3, 4, 3, 1, 5, 4, 5, 2]  # where each of its nine lies among these


@dataclass(frozen=True)
class Poses:
    """Of B frames: rotations (B, K, 3, 3) and translations (B, K, 3) of the nodes."""

    rotations: Tensor
    translations: Tensor

    def __getitem__(self, frames: Tensor | slice) -> Poses:
        return Poses(self.rotations[frames], self.translations[frames])

    def stepped(self, change: Tensor) -> Poses:
        """change (B, 6K): as the equations have their unknowns."""
        change = change.view(*self.translations.shape[:2], 6)
        turned = rotation_of(change[..., :3]) @ self.rotations
        return Poses(turned, self.translations + change[..., 3:])


def together(poses: Sequence[Pose], like: Tensor) -> Poses:
    return Poses(*(torch.as_tensor(np.stack([getattr(pose, name) for pose in poses])).to(like)
                   for name in ("rotations", "translations")))  # fmt: skip


def apart(poses: Poses) -> list[Pose]:
    rotations, translations = (part.double().cpu().numpy() for part in (poses.rotations, poses.translations))
    return [Pose(*each) for each in zip(rotations, translations, strict=True)]


class PointSet:
    """P points at rest (P, 3), with the nodes (P, k) that they follow and a weight each (sum 1), which are moved."""

    def __init__(self, graph: DeformationGraph, rest: np.ndarray, nodes: np.ndarray, weights: np.ndarray, like: Tensor):
        """like: a tensor of the device and the type that all is computed in."""
        self._home = torch.as_tensor(graph.nodes).to(like)
        count, many = len(graph.nodes), nodes.shape[1]
        away = rest[:, None] - graph.nodes[nodes]  # (P, k, 3)
        along = weights[..., None] * np.concatenate([np.ones_like(away[..., :1]), away], axis=2)  # (P, k, 4)
        rows = np.repeat(np.arange(len(rest)), 4 * many)
        columns = (4 * nodes.astype(np.int64)[..., None] + np.arange(4)).ravel()
        carried = coo_matrix((along.ravel(), (rows, columns)), shape=(len(rest), 4 * count)).tocsr()
        self._along, self._matrix = along, carried
        self._carried = sparse(carried, like)

    def moved(self, poses: Poses) -> Tensor:
        """(B, P, 3)."""
        offsets = (self._home + poses.translations)[:, :, None]  # (B, K, 1, 3)
        basis = torch.cat([offsets, poses.rotations.transpose(2, 3)], dim=2)  # (B, K, 4, 3)
        frames = len(basis)
        found = self._carried @ basis.permute(1, 2, 0, 3).reshape(-1, 3 * frames)
        return found.view(-1, frames, 3).transpose(0, 1).contiguous()


class PulledPoints(PointSet):
    """Points that are pulled, too, and so nodes by them."""

    def __init__(self, graph: DeformationGraph, rest: np.ndarray, nodes: np.ndarray, weights: np.ndarray, like: Tensor):
        super().__init__(graph, rest, nodes, weights, like)
        count = len(graph.nodes)
        gathered = self._matrix.T.tocsr()
        self._gathered = sparse(gathered, like)
        self.pairs, moments = _moments(nodes, weights, self._along, count)
        self._moments = sparse(moments, like)
        self._row, self._column = (torch.as_tensor(part).to(like.device) for part in np.divmod(self.pairs, count))
        # Of each node: the weight of its points, their mean, and how far they lie from it.
        shape = _shape_of(gathered, rest, graph.nodes)
        self._total, self._mean, self._spread = (torch.as_tensor(part).to(like) for part in shape)

    def carried_to(self, places: Tensor) -> Poses:
        """places (B, P, 3): where the points shall be -> the nodes' poses, by each one's own points only.

        A node's rotation is the one that brings its points nearest (Kabsch, 1976), and none where they say nothing.
        """
        sums = self._by_node(places)  # (B, K, 4, 3)
        middle = sums[:, :, 0] / self._total[:, None]
        together = (sums[:, :, 1:] - self._mean[:, :, None] * sums[:, :, :1]).transpose(2, 3)  # (B, K, 3, 3)
        eye = torch.eye(3).to(together)
        u, _, v = torch.linalg.svd(together + UNTURNED * self._spread[:, None, None] * eye)
        flipped = torch.ones_like(middle)
        flipped[..., 2] = torch.linalg.det(u @ v).sign()
        rotations = (u * flipped[:, :, None]) @ v
        translations = middle - (rotations @ self._mean[:, :, None])[..., 0] - self._home
        known = (self._total > LEAST_WEIGHT)[:, None]
        return Poses(rotations, torch.where(known, translations, torch.zeros_like(translations)))

    def blocks(self, poses: Poses, metric: Tensor) -> Tensor:
        """metric (B, P, 3, 3), symmetric -> (B, S, 6, 6): of the pairs' second derivatives, node `row` before
        `column`."""
        frames = len(metric)
        half = torch.stack([metric[:, :, a, c] for a, c in HALF], dim=-1)  # (B, P, 6)
        sums = self._moments @ half.transpose(0, 1).reshape(-1, 6 * frames)
        sums = sums.view(len(self.pairs), 4, 4, frames, 6)[..., WHOLE].view(len(self.pairs), 4, 4, frames, 3, 3)
        between = sums.permute(3, 0, 1, 4, 2, 5).reshape(frames, len(self.pairs), 12, 12)
        change = _changes(poses.rotations)
        return change[:, self._row].transpose(2, 3) @ (between @ change[:, self._column])

    def gradient(self, poses: Poses, pull: Tensor) -> Tensor:
        """pull (B, P, 3) -> (B, 6K)."""
        sums = self._by_node(pull).flatten(2)[..., None]  # (B, K, 12, 1)
        return (_changes(poses.rotations).transpose(2, 3) @ sums).flatten(1)

    def _by_node(self, values: Tensor) -> Tensor:
        """values (B, P, 3) -> (B, K, 4, 3): the sums over each node's points, by a's parts."""
        frames = len(values)
        sums = self._gathered @ values.transpose(0, 1).reshape(-1, 3 * frames)
        return sums.view(-1, 4, frames, 3).permute(2, 0, 1, 3)


def sparse(matrix: csr_matrix, like: Tensor) -> Tensor:
    """As a tensor of like's device and type, whose products with dense ones are sums in a fixed order."""
    parts = (torch.as_tensor(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    values = torch.as_tensor(matrix.data).to(like.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that products of sparse tensors may lack features
        found = torch.sparse_csr_tensor(*parts, values, size=matrix.shape, check_invariants=False)
        return found.to(like.device)


def rotation_of(vectors: Tensor) -> Tensor:
    """exp([vectors]_x): rotation vectors (..., 3) -> (..., 3, 3) (Rodrigues), as normal_equations.rotated has it."""
    angle = vectors.norm(dim=-1)[..., None, None]
    k = -crossed(vectors) / angle.clamp(min=1e-12)
    eye = torch.eye(3, device=vectors.device, dtype=vectors.dtype)
    return eye + angle.sin() * k + (1 - angle.cos()) * (k @ k)


def crossed(q: Tensor) -> Tensor:
    """-[q]_x, (..., 3) -> (..., 3, 3): how q changes by a small rotation."""
    x, y, z = q.unbind(-1)
    none = torch.zeros_like(x)
    return torch.stack([none, z, -y, -z, none, x, y, -x, none], dim=-1).view(*q.shape, 3)


def _changes(rotations: Tensor) -> Tensor:
    """F: rotations (B, K, 3, 3) -> (B, K, 12, 6), four matrices above each other."""
    frames, count = rotations.shape[:2]
    found = rotations.new_zeros(frames, count, 4, 3, 6)
    found[:, :, 0, :, 3:] = torch.eye(3, device=rotations.device, dtype=rotations.dtype)
    found[:, :, 1:, :, :3] = crossed(rotations.transpose(2, 3))
    return found.view(frames, count, 12, 6)


def _shape_of(gathered: csr_matrix, rest: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each node's points: the sum of their weights (K,), their mean less the node (K, 3), the sum of their weighted
    squared distances from that (K,)."""
    sums = (gathered @ np.concatenate([np.ones((len(rest), 1)), rest], axis=1)).reshape(len(nodes), 4, 4)
    total = np.maximum(sums[:, 0, 0], LEAST_WEIGHT)
    mean = sums[:, 1:, 0] / total[:, None]
    second = np.trace(sums[:, 1:, 1:], axis1=1, axis2=2) - (sums[:, 1:, 0] * nodes).sum(axis=1)
    return total, mean, np.maximum(second - total * (mean**2).sum(axis=1), 1e-12)


def _moments(nodes: np.ndarray, weights: np.ndarray, along: np.ndarray, count: int) -> tuple[np.ndarray, csr_matrix]:
    """The pairs (S,) of nodes that share points, as row * K + column with row >= column, and the matrix (16 S, P) that
    sums w_i w_j a_i a_j times something over the points."""
    many = nodes.shape[1]
    first, second = (part.ravel() for part in np.meshgrid(np.arange(many), np.arange(many), indexing="ij"))
    row, column = nodes[:, first].astype(np.int64), nodes[:, second].astype(np.int64)  # (P, k * k)
    kept = (row >= column) & (weights[:, first] > 0) & (weights[:, second] > 0)
    point, which = np.nonzero(kept)
    pairs, place = np.unique(row[kept] * count + column[kept], return_inverse=True)
    values = along[point, first[which], :, None] * along[point, second[which], None, :]  # (n, 4, 4)
    rows = 16 * place.astype(np.int64)[:, None] + np.arange(16)
    columns = np.repeat(point, 16)
    shape = (16 * len(pairs), len(nodes))
    return pairs, coo_matrix((values.ravel(), (rows.ravel(), columns)), shape=shape).tocsr()
