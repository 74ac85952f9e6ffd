"""Reference meshes that do not stand as the video begins: poses of other clips, the rest pose, the pose of binding.

Letters: B clips, T frames (frame 0 is the reference), J joints, V vertices of all clips together.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from motion324.training.synthesis.draws import Draws
from motion324.training.synthesis.rig_bank import ModelBatch, RigBank
from motion324.training.synthesis.rotations import rotation_about, turn

BINDING_SHARE, REST_SHARE = 0.25, 0.25  # of the clips with another reference; the rest has poses of other clips
TURN_ERROR, SHIFT_ERROR, SIZE_ERROR = math.radians(6), 0.03, 0.03  # of the view that is found for another pose


def other_poses(
    poses: Tensor, other: Tensor, bank: RigBank, chosen: list[int], draws: Draws, hosts: np.random.Generator
) -> Tensor:
    """poses (B, T, J, 3, 4): skinning matrices; other (B,): clips whose frame 0 is to show another pose -> poses."""
    kind = draws.uniform(0, 1, len(chosen))
    rests = torch.tensor([bank.clip_starts[rig][0] for rig in chosen], device=poses.device)
    rows = []
    for rig in chosen:
        clip = int(hosts.integers(bank.clip_counts[rig]))
        rows.append(bank.clip_starts[rig][clip] + int(hosts.integers(bank.clip_lengths[rig][clip])))
    row = torch.where(kind < BINDING_SHARE + REST_SHARE, rests, torch.tensor(rows, device=poses.device))
    reference = bank.poses(row[:, None, None].expand(-1, 1, 2), torch.zeros(len(chosen), 1, device=poses.device))
    binding = torch.zeros_like(reference)
    binding[..., :3] = torch.eye(3, device=poses.device)
    reference = torch.where((kind < BINDING_SHARE)[:, None, None, None, None], binding, reference)
    reference = torch.where(other[:, None, None, None, None], reference, poses[:, :1])
    return torch.cat([reference, poses[:, 1:]], dim=1)


def aligned_references(vertices: Tensor, models: ModelBatch, other: Tensor, draws: Draws) -> Tensor:
    """vertices (V, T, 3): for the clips `other` (B,), frame 0 is turned, moved and scaled onto frame 1, as a search for
    the view would do it, and with that search's errors."""
    batch, clip = len(other), models.vertex_clip
    count = torch.bincount(clip, minlength=batch)[:, None].to(vertices.dtype)

    def mean(values: Tensor) -> Tensor:
        total = torch.zeros(batch, values.shape[1], device=values.device, dtype=values.dtype)
        return total.index_add_(0, clip, values) / count

    reference, video = vertices[:, 0], vertices[:, 1]
    centre, target = mean(reference), mean(video)
    a, b = reference - centre[clip], video - target[clip]
    size = mean(b.square().sum(dim=-1, keepdim=True)) / mean(a.square().sum(dim=-1, keepdim=True)).clamp(min=1e-12)
    size = size.sqrt() * (SIZE_ERROR * draws.normal(batch, 1)).exp()
    covariance = mean((b[:, :, None] * a[:, None]).flatten(1)).view(batch, 3, 3).double()
    u, _, v = torch.linalg.svd(covariance)
    signs = torch.ones(batch, 3, device=vertices.device, dtype=u.dtype)
    signs[:, 2] = torch.linalg.det(u @ v).sign()
    rotation = (u @ (signs[:, :, None] * v)).to(vertices.dtype)
    rotation = rotation_about(TURN_ERROR * draws.normal(batch, 3)) @ rotation
    extent = mean(b.square().sum(dim=-1, keepdim=True)).sqrt() * 3  # about the longest side
    shift = target + SHIFT_ERROR * extent * draws.normal(batch, 3)
    moved = turn(rotation[clip], a) * size[clip] + shift[clip]
    first = torch.where(other[clip, None], moved, reference)
    return torch.cat([first[:, None], vertices[:, 1:]], dim=1)
