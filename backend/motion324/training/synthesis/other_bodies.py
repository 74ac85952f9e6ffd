"""Gives clips bodies that no file has: other proportions of a known body, and motions carried over from another one.

All of it is done at rest, in normalised space: what a joint does beside its parent is told as a turn about its pivot
there, and done again about the pivots of the changed body, so that limbs hang together as before. Letters: B clips, T
frames, J joints, V vertices of all clips together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.node_model.geometry import turn
from motion324.training.synthesis.geometry import (
    about,
    apply,
    compose,
    down_the_skeleton,
    inverse,
    product,
    solid,
)
from motion324.training.synthesis.rest_joints import RestJoints
from motion324.training.synthesis.rig_bank import Draws, ModelBatch, RigBank

LENGTH, THICKNESS = 0.45, 0.35  # standard deviations of the logarithms of parts' sizes, at the most
FIELD_WAVES, FIELD_FREQUENCY = 4, (2.0, 9.0)  # of how sizes change over the body, radians per longest side
BEND_WAVES, BEND, BEND_FREQUENCY = 2, 0.07, (1.5, 5.0)  # of the body's smooth bends
CANDIDATES = 4  # other bodies of the batch that are looked at for one with joints in like places
FARTHEST = 0.7  # between joints of both bodies that move alike, in parts of half the bodies' extents
MOST = 20.0  # of what stands in matrices
POINTING = 0.3  # of the difference of the directions that they point in, which counts beside that of their places
OPPOSED = -0.3  # cosine of the angle between what both hold, down to which motions are turned from one to the other


@dataclass(frozen=True)
class LocalMotion:
    """Of joints beside their parents, at rest: matrices (B, T, J, 3, 3) about their pivots, and shifts (B, T, J, 3)."""

    matrices: Tensor
    shifts: Tensor


def bodies_to_take_from(bank: RigBank, chosen: list[int], hosts: np.random.Generator) -> list[int]:
    """For each clip's rig another one of the same batch, with joints in places as like as may be."""
    candidates = hosts.choice(chosen, (len(chosen), CANDIDATES))
    own = bank.rest.of(torch.tensor(chosen, device=bank.device))
    unlike = []
    for column in candidates.T:
        other = bank.rest.of(torch.from_numpy(column).to(bank.device))
        near = _distances(own, other)
        apart = [near.amin(dim=2) * own.active, near.amin(dim=1) * other.active]
        counts = [own.active.sum(dim=1), other.active.sum(dim=1)]
        unlike.append(sum(far.clamp(0, 2).sum(dim=1) / count for far, count in zip(apart, counts, strict=True)))
    best = torch.stack([one.cpu() for one in unlike], dim=1).argmin(dim=1).numpy()
    return [int(candidates[clip, place]) for clip, place in enumerate(best)]


def with_other_bodies(
    rest: RestJoints,
    models: ModelBatch,
    poses: Tensor,
    resized: Tensor,
    carried: Tensor,
    other: tuple[RestJoints, Tensor, Tensor],
    draws: Draws,
) -> tuple[ModelBatch, Tensor, Tensor]:
    """poses (B, T, J, 3, 4): skinning matrices. resized (B,): clips whose bodies get other proportions. carried (B,):
    those that move as another body, `other`: its joints, its parents (B, J) and its poses.

    Returns the models, their poses, and which clips were changed (B,): none with joints that are flat at a time, or fly
    off.
    """
    carried = carried & _may_be_undone(other[0], other[2])
    changed = (resized | carried) & _may_be_undone(rest, poses)
    motion = _carried(carried, rest, local_motion(rest, models.parents, poses), other)
    at_rest, pivots = proportions(rest, models, resized, draws)
    again = moved_again(motion, pivots, models.parents)
    again = again.gather(2, models.leaders[:, None, :, None, None].expand_as(again))
    held = torch.where(rest.used[:, None, :, None, None], again, torch.zeros_like(again))
    changed = changed & (held.abs().amax(dim=(1, 2, 3, 4)) < MOST)
    return (
        replace(
            models,
            vertices=torch.where(changed[models.vertex_clip, None], at_rest, models.vertices),
            pivots=torch.where(changed[:, None, None], pivots, models.pivots),
        ),
        torch.where(changed[:, None, None, None, None], again, poses),
        changed,
    )


def local_motion(rest: RestJoints, parents: Tensor, poses: Tensor) -> LocalMotion:
    """poses (B, T, J, 3, 4), parents (B, J): J for none. Of joints that are not active, nothing."""
    moved = compose(poses, rest.undone[:, None])
    none = torch.eye(3, 4, device=poses.device).expand_as(moved[:, :, :1])
    clip = torch.arange(len(poses), device=poses.device)[:, None]
    held = torch.cat([moved, none], dim=2).transpose(1, 2)[clip, parents].transpose(1, 2)
    beside = compose(inverse(held), moved)
    pivots = rest.pivots[:, None].expand(beside.shape[:-1])
    active = rest.active[:, None, :, None]
    return LocalMotion(
        torch.where(active[..., None], beside[..., :3], torch.eye(3, device=poses.device)),
        torch.where(active, apply(beside, pivots) - pivots, torch.zeros_like(pivots)),
    )


def moved_again(motion: LocalMotion, pivots: Tensor, parents: Tensor) -> Tensor:
    """pivots (B, J, 3) of a body at rest -> (B, T, J, 3, 4): where the motion takes what its joints hold."""
    maps = about(motion.matrices, pivots[:, None].expand_as(motion.shifts))
    maps = torch.cat([maps[..., :3], maps[..., 3:] + motion.shifts[..., None]], dim=-1)
    return down_the_skeleton(maps, parents)


def proportions(rest: RestJoints, models: ModelBatch, resized: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    """Vertices (V, 3) and pivots (B, J, 3) at rest, of bodies whose parts are longer or shorter and thicker or thinner,
    left and right alike, and whose whole is smoothly bent; as they are for clips that are not resized (B,)."""
    batch, joints = rest.active.shape
    amount = draws.uniform(0, 1, batch, 1) * resized[:, None]
    length, thickness = ((most * amount * _field(rest.pivots, draws)).exp() for most in (LENGTH, THICKNESS))  # (B, J)
    along = rest.directions[..., :, None] * rest.directions[..., None, :]
    scale = thickness[..., None, None] * torch.eye(3, device=along.device)
    scale = scale + (length - thickness)[..., None, None] * along
    before = models.parents[..., None].expand(-1, -1, 3)
    held = before.clamp(max=joints - 1)
    offset = rest.pivots - rest.pivots.gather(1, held)
    turned = turn(scale.gather(1, held[..., None].expand(-1, -1, -1, 3)), offset)
    pivots = _summed_down(torch.where(before < joints, turned, rest.pivots), models.parents)
    maps = torch.cat([scale, (pivots - turn(scale, rest.pivots))[..., None]], dim=-1)
    clip = models.vertex_clip
    at_rest = torch.zeros_like(models.rest)
    for influence in range(models.joints.shape[1]):
        leader = models.leaders[clip, models.joints[:, influence]]
        at_rest = at_rest + models.weights[:, influence, None] * apply(maps[clip, leader], models.rest)
    across = draws.directions(batch, BEND_WAVES) * draws.uniform(*BEND_FREQUENCY, batch, BEND_WAVES, 1)
    towards = draws.directions(batch, BEND_WAVES) * (BEND * amount * draws.uniform(0, 1, batch, BEND_WAVES))[..., None]
    phases = draws.uniform(0, 2 * math.pi, batch, BEND_WAVES)

    def bent(places: Tensor, of: Tensor) -> Tensor:
        """places (N, 3) of the clips `of` (N,)"""
        angles = (places[:, None] * across[of]).sum(dim=-1) + phases[of]
        return places + (angles.sin()[..., None] * towards[of]).sum(dim=1)

    every = torch.arange(batch, device=clip.device).repeat_interleave(joints)
    return bent(at_rest, clip), bent(pivots.flatten(0, 1), every).unflatten(0, (batch, joints))


def _field(places: Tensor, draws: Draws) -> Tensor:
    """places (B, J, 3) -> (B, J): smooth over the body, with variance 1, the same on the left and on the right."""
    batch = len(places)
    mirrored = torch.cat([places[..., :1].abs(), places[..., 1:]], dim=-1)
    across = draws.directions(batch, FIELD_WAVES) * draws.uniform(*FIELD_FREQUENCY, batch, FIELD_WAVES, 1)
    angles = mirrored @ across.mT + draws.uniform(0, 2 * math.pi, batch, 1, FIELD_WAVES)
    return angles.sin().sum(dim=-1) * math.sqrt(2 / FIELD_WAVES)


def _carried(
    carried: Tensor, rest: RestJoints, motion: LocalMotion, other: tuple[RestJoints, Tensor, Tensor]
) -> LocalMotion:
    """The motion of those joints of the other body that lie where this one's do, root by root; where clips are not
    carried (B,), the own one."""
    given = local_motion(*other)
    near = _distances(rest, other[0])
    there, back = near.argmin(dim=2), near.argmin(dim=1)
    joints = torch.arange(near.shape[1], device=near.device)
    alike = (back.gather(1, there) == joints) & (near.amin(dim=2) < FARTHEST) & rest.active
    rows = there[:, None, :, None].expand_as(given.shifts)
    matrices = given.matrices.gather(2, rows[..., None].expand(-1, -1, -1, -1, 3))
    to_own = _turn_between(other[0].directions.gather(1, there[..., None].expand_as(rest.directions)), rest.directions)
    matrices = product(product(to_own[:, None], matrices), to_own[:, None].mT)
    is_root = joints == rest.roots[:, None]
    matrices = torch.where(alike[:, None, :, None, None], matrices, torch.eye(3, device=near.device))
    shifts = given.shifts.gather(2, rows) * is_root[:, None, :, None]
    chosen = carried[:, None, None, None]
    return LocalMotion(
        torch.where(chosen[..., None], matrices, motion.matrices), torch.where(chosen, shifts, motion.shifts)
    )


def _distances(own: RestJoints, other: RestJoints) -> Tensor:
    """(B, J, J): between the joints' places, and between their directions; roots are nearest to each other, and what is
    not active is far."""
    far = 1e3
    told = [torch.cat([one.places, POINTING * one.directions], dim=-1) for one in (own, other)]
    near = torch.cdist(*told)
    near = torch.where(own.active[:, :, None] & other.active[:, None], near, torch.full_like(near, far))
    joints = torch.arange(near.shape[1], device=near.device)
    roots = [joints == one.roots[:, None] for one in (own, other)]
    near = torch.where(roots[0][:, :, None] | roots[1][:, None], torch.full_like(near, far), near)
    return torch.where(roots[0][:, :, None] & roots[1][:, None], torch.zeros_like(near), near)


def _turn_between(first: Tensor, second: Tensor) -> Tensor:
    """(..., 3) each, unit or zero -> (..., 3, 3): the shortest turn; none where one is zero or both are opposed."""
    axis = torch.linalg.cross(first, second)
    cosine = (first * second).sum(dim=-1)
    known = (cosine > OPPOSED) & (first.norm(dim=-1) > 0.5) & (second.norm(dim=-1) > 0.5)
    axis, cosine = axis * known[..., None], torch.where(known, cosine, torch.ones_like(cosine))
    x, y, z = axis.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.eye(3, device=first.device) + skew + skew @ skew / (1 + cosine)[..., None, None]


def _summed_down(steps: Tensor, parents: Tensor) -> Tensor:
    """steps (B, J, 3), parents (B, J) -> (B, J, 3): of each joint and all that it hangs on."""
    maps = torch.eye(3, 4, device=steps.device).repeat(*steps.shape[:2], 1, 1)
    maps[..., 3] = steps
    return down_the_skeleton(maps[:, None], parents)[:, 0, :, :, 3]


def _may_be_undone(rest: RestJoints, poses: Tensor) -> Tensor:
    return rest.solid & (solid(poses) | ~rest.used).all(dim=1)
