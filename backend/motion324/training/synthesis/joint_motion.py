"""Draws the skinning matrices of a batch: clips at various speeds, mixed, weakened, with limbs of other clips, and with
random joint turns on top.

The reference mesh may stand otherwise than the video begins: in poses of other clips, the rest pose, or the pose of
binding. Letters: B clips, T frames (frame 0 is the reference), J joints, V vertices of all clips together.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.node_model.geometry import turn
from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.geometry import (
    about,
    apply,
    compose,
    down_the_skeleton,
    nearest_similarity,
    rotation_about,
)
from motion324.training.synthesis.limb_motion import with_other_limbs
from motion324.training.synthesis.other_bodies import bodies_to_take_from, with_other_bodies
from motion324.training.synthesis.rig_bank import Draws, ModelBatch, RigBank

BINDING_SHARE, REST_SHARE = 0.25, 0.25  # of the clips with another reference; the rest has poses of other clips
TURN_ERROR, SHIFT_ERROR, SIZE_ERROR = math.radians(6), 0.03, 0.03  # of the view that is found for another pose


def sample_times(batch: int, settings: SynthesisSettings, draws: Draws) -> Tensor:
    """(B, T) frame numbers: the reference at 0, then consecutive frames, the first of them 1 or later."""
    gap = torch.where(
        draws.chance(settings.gap_share, batch),
        draws.below(torch.full((batch,), settings.longest_gap, device=draws.device)),
        torch.zeros(batch, dtype=torch.long, device=draws.device),
    )
    times = torch.arange(settings.frames, device=draws.device).expand(batch, -1)
    return torch.where(times > 0, times + gap[:, None], times).float()


def sample_joint_motion(
    bank: RigBank,
    chosen: list[int],
    models: ModelBatch,
    times: Tensor,
    settings: SynthesisSettings,
    draws: Draws,
    hosts: np.random.Generator,
) -> tuple[ModelBatch, Tensor, Tensor, Tensor]:
    """The models, some of them with other proportions, skinning matrices (B, T, J, 3, 4) float32 for the chosen rigs at
    `times` (B, T), which clips are still (B,), and in which frame 0 shows another pose than the video begins with (B,).

    hosts: draws the clips.
    """
    batch = len(chosen)
    speed = draws.log_uniform(*settings.speed, batch, 1)
    still = draws.chance(settings.still_share, batch, 1)
    speed = torch.where(still, speed * draws.uniform(0, 0.03, batch, 1), speed)
    poses = _clip_poses(bank, chosen, times, speed, draws, hosts)
    changed = torch.zeros(batch, dtype=torch.bool, device=draws.device)
    if settings.blend_share:
        mixed = draws.chance(settings.blend_share, batch)
        other = _clip_poses(bank, chosen, times, speed, draws, hosts)
        share = (0.5 + 0.7 * draws.smooth_curves(torch.where(still, times * 0, times))).clamp(0, 1)
        poses = torch.where(_wide(mixed), torch.lerp(poses, other, share[..., None, None, None]), poses)
        changed |= mixed
    if settings.weaker_share:
        weaker = draws.chance(settings.weaker_share, batch)
        amount = torch.where(weaker, draws.uniform(0.1, 0.9, batch), torch.ones(batch, device=draws.device))
        poses = torch.lerp(poses[:, :1], poses, _wide(amount))
        changed |= weaker
    if settings.blend_share or settings.weaker_share:
        poses = torch.where(_wide(changed), _made_rigid(poses, models.pivots), poses)
    if settings.limb_share:
        others = _clip_poses(bank, chosen, times, speed, draws, hosts)
        poses = with_other_limbs(poses, others, models, draws.chance(settings.limb_share, batch), draws)
    other = torch.zeros_like(changed)
    if settings.other_pose_share:
        other = draws.chance(settings.other_pose_share, batch)
        poses = other_poses(poses, other, bank, chosen, draws, hosts)
    if settings.proportions_share or settings.carried_share:
        resized = draws.chance(settings.proportions_share, batch)
        carried = draws.chance(settings.carried_share, batch)
        givers = bodies_to_take_from(bank, chosen, hosts)
        which = torch.tensor(givers, device=draws.device)
        moved = _clip_poses(bank, givers, times, speed, draws, hosts)
        if settings.other_pose_share:
            moved = other_poses(moved, other, bank, givers, draws, hosts)
        own = bank.rest.of(torch.tensor(chosen, device=draws.device))
        given = (bank.rest.of(which), bank.parents(which), moved)
        models, poses, _ = with_other_bodies(own, models, poses, resized, carried, given, draws)
    if settings.joint_share or settings.part_scale_share:
        poses = _turned(poses, models, times, still, other, settings, draws)
    return models, poses, still[:, 0], other


def _clip_poses(
    bank: RigBank, chosen: list[int], times: Tensor, speed: Tensor, draws: Draws, hosts: np.random.Generator
) -> Tensor:
    clips = [int(hosts.integers(bank.clip_counts[rig])) for rig in chosen]
    starts = torch.tensor([bank.clip_starts[r][c] for r, c in zip(chosen, clips, strict=True)], device=draws.device)
    last = torch.tensor([bank.clip_lengths[r][c] - 1 for r, c in zip(chosen, clips, strict=True)], device=draws.device)
    last = last[:, None].float()
    batch = len(chosen)
    backwards = draws.chance(0.2, batch, 1)
    place = draws.uniform(0, 1, batch, 1) * last + torch.where(backwards, -speed, speed) * times
    around = place.remainder(last.clamp(min=1))
    there_and_back = last - (place.remainder(2 * last.clamp(min=1)) - last).abs()
    place = torch.where(draws.chance(0.6, batch, 1), around, there_and_back).clamp(min=0).minimum(last)
    first = place.floor()
    rows = torch.stack([first, (first + 1).minimum(last)], dim=-1).long() + starts[:, None, None]
    return bank.poses(rows, place - first)


def _made_rigid(poses: Tensor, pivots: Tensor) -> Tensor:
    """Mixed matrices made scaled rotations again, with the joints' pivots where the mixture has put them."""
    matrices = nearest_similarity(poses[..., :3])
    pivots = pivots[:, None]
    kept = apply(poses, pivots.expand(poses.shape[:-1])) - turn(matrices, pivots)
    return torch.cat([matrices, kept[..., None]], dim=-1)


def _turned(
    poses: Tensor,
    models: ModelBatch,
    times: Tensor,
    still: Tensor,
    other: Tensor,
    settings: SynthesisSettings,
    draws: Draws,
) -> Tensor:
    """Random smooth turns (and constant scales) of joints about their pivots, handed down the skeleton. other (B,):
    clips whose frame 0 is turned otherwise, and scaled alike."""
    b, _, j = poses.shape[:3]
    moving = draws.chance(settings.joint_share, b, 1) & draws.chance(1.0, b, j)
    moving &= draws.uniform(0, 1, b, j) < draws.uniform(0.05, 0.8, b, 1)
    angle = math.radians(settings.joint_angle) * draws.uniform(0.1, 1.0, b, 1) * draws.uniform(0.2, 1.0, b, j)
    angle = angle * torch.where(models.parents == j, 0.3, 1.0) * moving
    axis = draws.directions(b, j)
    swing = draws.smooth_curves(times, j) * torch.where(still, 0.0, 1.0)[..., None]
    offset = draws.uniform(-0.6, 0.6, b, 1, j)
    wobble = 0.3 * draws.smooth_curves(times, j, 3) * torch.where(still, 0.0, 1.0)[..., None, None]
    vectors = angle[:, None, :, None] * ((swing + offset)[..., None] * axis[:, None] + wobble)
    if settings.other_pose_share:
        unlike = torch.where(other[:, None], draws.uniform(-0.7, 0.7, b, j), torch.ones(b, j, device=poses.device))
        vectors = torch.cat([vectors[:, :1] * unlike[:, None, :, None], vectors[:, 1:]], dim=1)
    scaled = draws.chance(settings.part_scale_share, b, 1) & draws.chance(0.15, b, j)
    scale = torch.where(scaled, draws.log_uniform(0.75, 1.35, b, j), torch.ones(b, j, device=draws.device))
    matrices = rotation_about(vectors) * scale[:, None, :, None, None]
    leader = models.leaders[:, None].expand(poses.shape[:3])
    pivots = apply(poses, models.pivots[:, None].expand(poses.shape[:-1]))
    maps = about(matrices, pivots)  # of the leaders; those of other joints are never asked for
    maps = down_the_skeleton(maps, models.parents)
    return compose(_joint_rows(maps, leader[:, 0]), poses)


def _joint_rows(maps: Tensor, joints: Tensor) -> Tensor:
    """maps (B, T, J', 3, 4), joints (B, J) -> (B, T, J, 3, 4)."""
    clip = torch.arange(maps.shape[0], device=maps.device)[:, None]
    return maps.transpose(1, 2)[clip, joints].transpose(1, 2)


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None, None, None]


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
