"""The normal equations of many frames, whole: of points and of the graph's edges, and their solution.

Letters: B frames, K nodes, E edges, S pairs of nodes. The equations are those of normal_equations.py, each frame's by
itself; only blocks with row node >= column node are filled.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_matrix
from torch import Tensor

from motion324.reconstructors.deformation_fit.by_torch.point_set import Poses, PulledPoints, crossed, sparse
from motion324.reconstructors.deformation_fit.deformation_graph import DeformationGraph


class RigidEdges:
    """The links of the graph, each in both directions: where node i would carry node j, against where j is."""

    def __init__(self, graph: DeformationGraph, knee: float, like: Tensor) -> None:
        """knee: edges bent by more than this give way."""
        count = len(graph.nodes)
        edges = graph.edges.astype(np.int64)
        both = np.concatenate([edges, edges[:, ::-1]])  # (2 E, 2)
        i, j = both[:, 0], both[:, 1]
        self._i, self._j = torch.as_tensor(i).to(like.device), torch.as_tensor(j).to(like.device)
        self._arm = torch.as_tensor(graph.nodes[j] - graph.nodes[i]).to(like)
        self._weights = torch.as_tensor(graph.edge_weights / max(len(edges), 1)).to(like)
        self._knee = knee
        self._lower = torch.as_tensor(i > j).to(like.device)
        wanted = np.concatenate([i * count + i, np.maximum(i, j) * count + np.minimum(i, j), j * count + j])
        self.pairs, place = np.unique(wanted, return_inverse=True)
        each = np.arange(len(wanted))
        self._sums = sparse(coo_matrix((np.ones(len(wanted)), (place, each))).tocsr(), like)
        ends = np.concatenate([i, j])
        at = coo_matrix((np.ones(len(ends)), (ends, np.arange(len(ends)))), shape=(count, len(ends)))
        self._at_nodes = sparse(at.tocsr(), like)

    def terms(self, poses: Poses, weight: float) -> tuple[Tensor, Tensor]:
        """Blocks (B, S, 6, 6) of the pairs, and the gradient (B, 6K)."""
        carried = (poses.rotations[:, self._i] @ self._arm[:, :, None])[..., 0]  # (B, 2 E, 3)
        left = carried - self._arm + poses.translations[:, self._i] - poses.translations[:, self._j]
        bent = left.square().sum(dim=2).view(len(left), 2, -1).sum(dim=1).sqrt()
        stiffness = weight * self._weights / (1.0 + (bent / self._knee) ** 2).sqrt()
        stiffness = stiffness.repeat(1, 2)[..., None]  # (B, 2 E, 1)
        eye = torch.eye(3, device=left.device, dtype=left.dtype).expand(*left.shape, 3)
        own = torch.cat([crossed(carried), eye], dim=3)  # (B, 2 E, 3, 6): by the unknowns of i
        other = torch.cat([torch.zeros_like(eye), -eye], dim=3)
        between = torch.where(self._lower[:, None, None], own.transpose(2, 3) @ other, other.transpose(2, 3) @ own)
        found = torch.stack([own.transpose(2, 3) @ own, between, other.transpose(2, 3) @ other], dim=1)
        found = (stiffness[:, None, ..., None] * found).flatten(1, 2)  # (B, 6 E, 6, 6)
        blocks = _summed(self._sums, found.flatten(2)).unflatten(2, (6, 6))
        pulls = stiffness * left
        ends = torch.cat([(own.transpose(2, 3) @ pulls[..., None])[..., 0], pulls @ other[0, 0]], dim=1)
        return blocks, _summed(self._at_nodes, ends).flatten(1)


class Equations:
    """Hessians (B, 6K, 6K) and gradients (B, 6K) of frames in which one set of points is pulled about."""

    def __init__(self, graph: DeformationGraph, points: PulledPoints, knee: float, like: Tensor) -> None:
        self.points = points
        self._edges = RigidEdges(graph, knee, like)
        self._count = len(graph.nodes)
        pairs = np.union1d(points.pairs, self._edges.pairs)
        self._place = torch.as_tensor(pairs).to(like.device)
        self._of_points, self._of_edges = (
            torch.as_tensor(np.searchsorted(pairs, own)).to(like.device) for own in (points.pairs, self._edges.pairs)
        )

    def summed(self, poses: Poses, metric: Tensor, pull: Tensor, rigidity: float) -> tuple[Tensor, Tensor]:
        """metric (B, P, 3, 3), pull (B, P, 3) of the points, as normal_equations.add_points has them."""
        rigid, slope = self._edges.terms(poses, rigidity)
        frames, count = len(pull), self._count
        blocks = pull.new_zeros(frames, len(self._place), 6, 6)
        blocks[:, self._of_points] = self.points.blocks(poses, metric)
        blocks[:, self._of_edges] += rigid
        hessian = pull.new_zeros(frames, count * count, 6, 6)
        hessian[:, self._place] = blocks
        hessian = hessian.view(frames, count, count, 6, 6).transpose(2, 3).reshape(frames, 6 * count, 6 * count)
        return hessian, self.points.gradient(poses, pull) + slope


def damped(hessian: Tensor) -> Tensor:
    """With the little on its diagonal that keeps it positive definite, in place."""
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    diagonal += 1e-6 + 1e-4 * diagonal
    return hessian


def step(hessian: Tensor, gradient: Tensor) -> Tensor:
    """(B, 6K): one Gauss-Newton step of each frame; changes the Hessians."""
    return -torch.cholesky_solve(gradient[..., None], factor(damped(hessian)))[..., 0]


def factor(hessian: Tensor) -> Tensor:
    """The lower Cholesky factors, of which only the lower triangles are looked at. Raises LinAlgError."""
    found, failed = torch.linalg.cholesky_ex(hessian)
    if bool(failed.any()):
        raise np.linalg.LinAlgError("the equations' matrix of a frame is not positive definite")
    return found


def whole(hessian: Tensor) -> Tensor:
    """With what is above the diagonal blocks, too."""
    return hessian.tril() + hessian.tril(-1).transpose(1, 2)


def _summed(matrix: Tensor, values: Tensor) -> Tensor:
    """matrix (n, m) @ values (B, m, c) -> (B, n, c)."""
    frames, _, width = values.shape
    found = matrix @ values.transpose(0, 1).reshape(-1, frames * width)
    return found.view(-1, frames, width).transpose(0, 1)
