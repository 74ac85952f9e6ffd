"""Gives limbs the motion that they have in another clip of the same body, or at another time of the same clip: legs
that run while arms wave, and gaits of other orders.

Letters: B clips, T frames, J joints.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion324.training.synthesis.geometry import ANCESTRY_DOUBLINGS, compose, inverse, solid
from motion324.training.synthesis.rig_bank import Draws, ModelBatch

BEGINS = (0.05, 0.35)  # of a clip's joints, those at which such a limb begins


def with_other_limbs(poses: Tensor, others: Tensor, models: ModelBatch, chosen: Tensor, draws: Draws) -> Tensor:
    """poses, others (B, T, J, 3, 4): skinning matrices of the same bodies; chosen (B,): clips that get such limbs.

    Returns poses in which some limbs move as in `others` beside the joint that they hang on, and are carried along by
    that joint as it moves in `poses`.
    """
    b, _, j = poses.shape[:3]
    begins = draws.uniform(0, 1, b, j) < draws.uniform(*BEGINS, b, 1)
    begins &= chosen[:, None] & (models.parents < j) & solid(others).gather(1, models.parents.clamp(max=j - 1))
    carriers = limb_carriers(begins, models.parents).gather(1, models.leaders)
    taken = carriers < j
    clip, carrier = torch.arange(b, device=poses.device)[:, None], carriers.clamp(max=j - 1)
    own, other = (maps.transpose(1, 2)[clip, carrier].transpose(1, 2) for maps in (poses, others))
    moved = compose(compose(own, inverse(other)), others)
    return torch.where(taken[:, None, :, None, None], moved, poses)


def limb_carriers(begins: Tensor, parents: Tensor) -> Tensor:
    """begins (B, J) bool: joints at which limbs begin. parents (B, J): J for none -> (B, J): the joint on which a
    joint's limb hangs, the outermost one where limbs begin within limbs; J for joints of none."""
    b, j = parents.shape
    none = torch.full((b, 1), j, dtype=parents.dtype, device=parents.device)
    carrier = torch.cat([torch.where(begins, parents, none), none], dim=1)
    ancestor = torch.cat([parents, none], dim=1)
    for _ in range(ANCESTRY_DOUBLINGS):
        nearer_the_root = carrier.gather(1, ancestor)
        carrier = torch.where(nearer_the_root < j, nearer_the_root, carrier)
        ancestor = ancestor.gather(1, ancestor)
    return carrier[:, :j]
