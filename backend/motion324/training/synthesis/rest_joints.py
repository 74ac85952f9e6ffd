"""Tells where the joints of rigs lie at rest, which way what they hold points, and how their matrices are undone.

The rest pose is the first pose of a rig's first clip, in normalised space. Letters: B clips, J joints.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from motion324.training.synthesis.rigs import Rig

USED = 1e-4  # the least weight of a joint that holds anything of a vertex
FLAT = 1e-3  # the least volume of a joint's matrix, beside the cube of its norm, for it to be undone
LEAST_EXTENT = 0.2  # of a body along an axis, where places are told in parts of it


@dataclass(frozen=True)
class RestJoints:
    """Of B clips' rigs, in normalised space. active (B, J): leaders that hold vertices; the others' rows are zero.

    pivots (B, J, 3): where they turn. directions (B, J, 3): of unit length, from there to the middle of what they hold;
    zero where that lies at the pivot. places (B, J, 3): the pivots in parts of half the body's extent along each axis.
    roots (B,): the one without a parent. used (B, J): joints of vertices. undone (B, J, 3, 4): takes the rest pose to
    where the used joints' matrices take it from. solid (B,): where all of these could be undone.
    """

    active: Tensor
    pivots: Tensor
    directions: Tensor
    places: Tensor
    roots: Tensor
    used: Tensor
    undone: Tensor
    solid: Tensor

    def of(self, which: Tensor) -> RestJoints:
        return RestJoints(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


def rest_joints(rigs: list[Rig], most: int, device: torch.device) -> RestJoints:
    """Of all rigs. most: J, of the rig that has the most joints."""
    rows = [_rest_joints(rig, most) for rig in rigs]
    return RestJoints(
        **{
            field.name: torch.from_numpy(np.stack([row[field.name] for row in rows])).to(device)
            for field in fields(RestJoints)
        }
    )


def _rest_joints(rig: Rig, most: int) -> dict[str, np.ndarray]:
    skeleton, matrices = rig.skeleton, rig.clips[0][0].astype(np.float64)
    count = len(matrices)
    held = rig.weights > USED
    used = np.isin(np.arange(count), rig.joints[held])
    active = np.isin(np.arange(count), skeleton.leaders[used])
    volume = np.abs(np.linalg.det(matrices[:, :, :3]))
    thick = volume > FLAT * np.linalg.norm(matrices[:, :, :3], axis=(1, 2)) ** 3 / 3**1.5
    square = np.concatenate([matrices, np.broadcast_to([[[0.0, 0.0, 0.0, 1.0]]], (count, 1, 4))], axis=1)
    square[~(thick & (used | active))] = np.eye(4)
    pivots = np.einsum("jab,jb->ja", matrices, np.c_[skeleton.pivots, np.ones(count)])
    amounts, middles = np.zeros(count), np.zeros((count, 3))
    holders = skeleton.leaders[rig.joints]
    np.add.at(amounts, holders, rig.weights)
    np.add.at(middles, holders, rig.weights[..., None] * rig.rest[:, None])
    towards = middles / np.maximum(amounts, USED)[:, None] - pivots
    length = np.linalg.norm(towards, axis=1, keepdims=True)
    directions = np.where(length > FLAT, towards / np.maximum(length, FLAT), 0)
    root = np.flatnonzero(active & (skeleton.parents == count))
    padded = {
        "active": active,
        "pivots": np.where(active[:, None], pivots, 0).astype(np.float32),
        "directions": np.where(active[:, None], directions, 0).astype(np.float32),
        "places": np.where(active[:, None], 2 * pivots / np.maximum(np.ptp(rig.rest, axis=0), LEAST_EXTENT), 0).astype(
            np.float32
        ),
        "used": used,
        "undone": np.linalg.inv(square)[:, :3].astype(np.float32),
    }
    found = {
        name: np.concatenate([rows, np.zeros((most - count, *rows.shape[1:]), rows.dtype)])
        for name, rows in padded.items()
    }
    return {**found, "roots": np.array(root[0]), "solid": np.array(len(root) == 1 and bool(thick[used | active].all()))}
