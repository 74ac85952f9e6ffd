"""Holds all rigs in tensors on one device, draws batches from them, and draws the random numbers for everything else.

A batch of B clips has one model per clip; their vertices and faces lie one after the other ("ragged"): V vertices and F
faces in all. `vertex_clip` and `face_clip` say to which clip each belongs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motion324.training.synthesis.rest_joints import rest_joints
from motion324.training.synthesis.rigs import Rig


class Draws:
    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self.generator = torch.Generator(device)
        self.generator.manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self.generator, device=self.device)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return self.uniform(math.log(low), math.log(high), *shape).exp()

    def chance(self, share: float, *shape: int) -> Tensor:
        """True with the probability `share`."""
        return torch.rand(*shape, generator=self.generator, device=self.device) < share

    def directions(self, *shape: int) -> Tensor:
        """(*shape, 3): unit vectors, evenly over the sphere."""
        vectors = self.normal(*shape, 3)
        return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-6)

    def below(self, limits: Tensor) -> Tensor:
        """Whole numbers from 0 to below each limit."""
        drawn = torch.rand(limits.shape, generator=self.generator, device=self.device)
        return (drawn * limits).long().minimum(limits - 1)

    def smooth_curves(self, times: Tensor, *shape: int) -> Tensor:
        """times (B, T) in frames -> (B, T, *shape): sums of two sines with random periods, about -1..1."""
        b = times.shape[0]
        span = (times.amax(dim=1) - times.amin(dim=1)).clamp(min=1).view(b, *(1,) * (len(shape) + 1))
        moment = times.view(*times.shape, *(1,) * len(shape)) / span
        total = torch.zeros(())
        for amplitude, low, high in ((0.7, 0.15, 1.2), (0.3, 0.8, 3.0)):
            cycles = self.log_uniform(low, high, b, 1, *shape)
            phase = self.uniform(0, 2 * math.pi, b, 1, *shape)
            total = total + amplitude * torch.sin(2 * math.pi * cycles * moment + phase)
        return total


@dataclass(frozen=True)
class ModelBatch:
    """The models of a batch of B clips, in bind space. V vertices, F faces in all, J the most joints of any rig.

    vertices (V, 3), rest (V, 3), colours (V, 3), joints (V, 4), weights (V, 4), parts (V,): see Rig; parts numbers the
    leader of a vertex's strongest joint. faces (F, 3): into the V vertices. vertex_clip (V,), face_clip (F,).
    clip_vertices (B, most): each clip's rows of V, filled up by repeating its first. face_counts: faces of each clip.
    leaders, parents (B, J), pivots (B, J, 3): see Skeleton.
    """

    vertices: Tensor
    rest: Tensor
    colours: Tensor
    joints: Tensor
    weights: Tensor
    parts: Tensor
    faces: Tensor
    vertex_clip: Tensor
    face_clip: Tensor
    clip_vertices: Tensor
    face_counts: tuple[int, ...]
    leaders: Tensor
    parents: Tensor
    pivots: Tensor


class RigBank:
    def __init__(self, rigs: list[Rig], device: torch.device) -> None:
        self.device = device
        self.names = [rig.name for rig in rigs]
        self.joints = max(rig.clips[0].shape[1] for rig in rigs)
        self.clip_counts = [len(rig.clips) for rig in rigs]
        self.vertex_counts = [len(rig.vertices) for rig in rigs]
        self.face_counts = [len(rig.faces) for rig in rigs]
        self._vertex_starts = np.concatenate([[0], np.cumsum(self.vertex_counts)])
        self._face_starts = np.concatenate([[0], np.cumsum(self.face_counts)])
        self._vertices = self._put([rig.vertices for rig in rigs])
        self._rest = self._put([rig.rest for rig in rigs])
        self._colours = self._put([rig.colours for rig in rigs])
        self._vertex_joints = self._put([rig.joints for rig in rigs])
        self._weights = self._put([rig.weights for rig in rigs])
        self._parts = self._put([_parts(rig) for rig in rigs])
        self._faces = self._put([rig.faces for rig in rigs])
        self._leaders = self._put([self._padded(rig.skeleton.leaders, np.arange(self.joints))[None] for rig in rigs])
        self._parents = self._put([self._padded_parents(rig)[None] for rig in rigs])
        self._pivots = self._put([self._padded(rig.skeleton.pivots, np.zeros((self.joints, 3)))[None] for rig in rigs])
        self._pivots = self._pivots.float()
        self.rest = rest_joints(rigs, self.joints, device)
        self.clip_lengths = [[len(clip) for clip in rig.clips] for rig in rigs]
        flat = [clip for rig in rigs for clip in rig.clips]
        starts = np.concatenate([[0], np.cumsum([len(clip) for clip in flat])])
        offsets = np.concatenate([[0], np.cumsum(self.clip_counts)])
        self.clip_starts = [starts[offsets[i] : offsets[i + 1]].tolist() for i in range(len(rigs))]
        self._poses = torch.zeros(int(starts[-1]), self.joints, 3, 4)
        for start, clip in zip(starts, flat, strict=False):
            self._poses[start : start + len(clip), : clip.shape[1]] = torch.from_numpy(clip)
        self._poses = self._poses.to(device)

    def poses(self, rows: Tensor, between: Tensor) -> Tensor:
        """rows (B, T, 2): two poses each, between (B, T): 0 the first, 1 the second -> (B, T, J, 3, 4)."""
        return torch.lerp(self._poses[rows[..., 0]], self._poses[rows[..., 1]], between[..., None, None, None])

    def parents(self, which: Tensor) -> Tensor:
        """which (B,): rigs -> (B, J): see Skeleton."""
        return self._parents[which]

    def models(self, chosen: list[int]) -> ModelBatch:
        """The models of the given rigs, one per clip."""
        vertex_rows, vertex_clip = self._ragged(self._vertex_starts, self.vertex_counts, chosen)
        face_rows, face_clip = self._ragged(self._face_starts, self.face_counts, chosen)
        counts = torch.tensor([0] + [self.vertex_counts[rig] for rig in chosen[:-1]], device=self.device)
        which = torch.tensor(chosen, device=self.device)
        return ModelBatch(
            vertices=self._vertices[vertex_rows],
            rest=self._rest[vertex_rows],
            colours=self._colours[vertex_rows],
            joints=self._vertex_joints[vertex_rows],
            weights=self._weights[vertex_rows],
            parts=self._parts[vertex_rows],
            faces=self._faces[face_rows] + counts.cumsum(0)[face_clip, None],
            vertex_clip=vertex_clip,
            face_clip=face_clip,
            clip_vertices=torch.from_numpy(self._filled([self.vertex_counts[rig] for rig in chosen])).to(self.device),
            face_counts=tuple(self.face_counts[rig] for rig in chosen),
            leaders=self._leaders[which],
            parents=self._parents[which],
            pivots=self._pivots[which],
        )

    def _ragged(self, starts: np.ndarray, counts: list[int], chosen: list[int]) -> tuple[Tensor, Tensor]:
        sizes = [counts[rig] for rig in chosen]
        rows = np.concatenate([np.arange(starts[rig], starts[rig] + counts[rig]) for rig in chosen])
        clip = np.repeat(np.arange(len(chosen)), sizes)
        return torch.from_numpy(rows).to(self.device), torch.from_numpy(clip).to(self.device)

    def _filled(self, counts: list[int]) -> np.ndarray:
        starts = np.cumsum([0, *counts[:-1]])[:, None]
        steps = np.arange(max(counts))[None]
        return starts + np.where(steps < np.array(counts)[:, None], steps, 0)

    def _put(self, parts: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(parts)).to(self.device)

    def _padded(self, values: np.ndarray, fill: np.ndarray) -> np.ndarray:
        return np.concatenate([values, fill[len(values) :]])

    def _padded_parents(self, rig: Rig) -> np.ndarray:
        """The joint number J of this bank stands for "no parent"."""
        own = rig.skeleton.parents
        return self._padded(np.where(own == len(own), self.joints, own), np.full(self.joints, self.joints))


def _parts(rig: Rig) -> np.ndarray:
    strongest = rig.joints[np.arange(len(rig.joints)), rig.weights.argmax(axis=1)]
    return rig.skeleton.leaders[strongest]
