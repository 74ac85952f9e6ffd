"""The skinning matrices of a batch: clips at various speeds, mixed, weakened, and with random joint turns on top."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.draws import Draws
from motion324.training.synthesis.reference_pose import other_poses
from motion324.training.synthesis.rig_bank import ModelBatch, RigBank
from motion324.training.synthesis.rotations import about, apply, compose, nearest_similarity, rotation_about, turn

ANCESTRY_DOUBLINGS = 4  # skeletons up to 16 joints deep


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
) -> tuple[Tensor, Tensor, Tensor]:
    """Skinning matrices (B, T, J, 3, 4) float32 for the chosen rigs at `times` (B, T), which clips are still (B,), and
    in which frame 0 shows another pose than the video begins with (B,).

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
    other = torch.zeros_like(changed)
    if settings.other_pose_share:
        other = draws.chance(settings.other_pose_share, batch)
        poses = other_poses(poses, other, bank, chosen, draws, hosts)
    if settings.joint_share or settings.part_scale_share:
        poses = _turned(poses, models, times, still, other, settings, draws)
    return poses, still[:, 0], other


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
    none = torch.zeros_like(maps[:, :, :1])
    none[..., :3] = torch.eye(3, device=poses.device)
    maps = torch.cat([maps, none], dim=2)
    ancestor = torch.cat([models.parents, torch.full_like(models.parents[:, :1], j)], dim=1)
    for _ in range(ANCESTRY_DOUBLINGS):
        maps = compose(_joint_rows(maps, ancestor), maps)
        ancestor = ancestor.gather(1, ancestor)
    return compose(_joint_rows(maps, leader[:, 0]), poses)


def _joint_rows(maps: Tensor, joints: Tensor) -> Tensor:
    """maps (B, T, J', 3, 4), joints (B, J) -> (B, T, J, 3, 4)."""
    clip = torch.arange(maps.shape[0], device=maps.device)[:, None]
    return maps.transpose(1, 2)[clip, joints].transpose(1, 2)


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None, None, None]
