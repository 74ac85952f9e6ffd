"""Measures what the node model is trained to do: to put points where they truly are, and to know nodes again when it
sees them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.node_model.config import HIDDEN_BEHIND
from motion324.reconstructors.node_model.geometry import look_around, ray_axes, turn
from motion324.reconstructors.node_model.inputs_and_answers import LookOutputs, NodeOutputs
from motion324.training.node_model.batches import TrainingBatch

MOTION_FLOOR = 0.05  # of the longest side; clips with less motion than this do not count much more than that
WHOLE_BEND_FROM, LEAST_BEND = 0.1, 0.4  # mean motion of clips whose errors are bent as told, and the least part of it
ROUND_DECAY = 0.8  # a round counts this much of the next one
MATCH_WEIGHT = 0.02
DRAWN_MATCH_WEIGHT = 0.01  # of each look
NEAR_WEIGHT = 0.05  # of each look and scale
NEAR_SCALES, NEAR_RADIUS = 2, 3  # strides 4 and 8; cells on each side of where a node was drawn
DOUBT_WEIGHT = 0.01  # of each look
LEAST_ERROR = 1e-4  # of a node, so that no doubt can be worth endlessly much


@dataclass(frozen=True)
class Losses:
    """total: to be minimised. points: its part for positions. matches: mean cross-entropy of finding visible nodes.
    drawn_matches, near_matches: of finding drawn ones in the whole frame, and near where they were drawn. doubt: mean
    surprise at the nodes' errors. These of the last look, else 0."""

    total: Tensor
    points: Tensor
    matches: Tensor
    drawn_matches: Tensor
    near_matches: Tensor
    doubt: Tensor


def losses(outputs: NodeOutputs, batch: TrainingBatch, bend: float | Tensor) -> Losses:
    """bend: the error, in normalised units, where the Huber loss turns from a parabola into a line; () as a tensor. In
    clips of little motion it is less, since the same errors are more of it."""
    truth = batch.targets[:, 1:]
    motion = (truth - batch.targets[:, :1]).norm(dim=-1).mean(dim=(1, 2))
    weight = 1 / (motion + MOTION_FLOOR)
    bend = (bend * (motion / WHOLE_BEND_FROM).clamp(LEAST_BEND, 1)).view(-1, 1, 1, 1)
    total = truth.new_zeros(())
    rounds = len(outputs.positions)
    for number, positions in enumerate(outputs.positions):
        error = (positions[:, 1:] - truth).abs()
        huber = torch.where(error < bend, error.square() / (2 * bend), error - bend / 2).sum(dim=-1)
        total = total + ROUND_DECAY ** (rounds - 1 - number) * (huber.mean(dim=(1, 2)) * weight).mean()
    matches = match_loss(outputs.similarities, batch, batch.node_seen[:, :1])
    points, total = total.detach(), total + MATCH_WEIGHT * matches
    drawn_matches = near = doubt = torch.zeros_like(points)
    for look in outputs.looks:
        drawn_matches = match_loss(look.similarities, batch, look.behind < HIDDEN_BEHIND)
        near, doubt = near_loss(look, batch), doubt_loss(look, batch)
        total = total + DRAWN_MATCH_WEIGHT * drawn_matches + NEAR_WEIGHT * near + DOUBT_WEIGHT * doubt
    return Losses(total, points, matches.detach(), drawn_matches.detach(), near.detach(), doubt.detach())


def near_loss(look: LookOutputs, batch: TrainingBatch) -> Tensor:
    """Cross-entropy of the true place among the cells around the place where a node was drawn, at two scales, for nodes
    that show in both pictures and lie so near: what tells by how little a drawing is beside the frame."""
    known = (look.behind < HIDDEN_BEHIND) & batch.node_seen
    total = look.doubt.new_zeros(())
    level, cells = look.similarities, 2 * NEAR_RADIUS + 1
    for _ in range(NEAR_SCALES):
        offset = (batch.node_places - look.drawn_places) * (level.shape[-1] / 2)  # in cells
        near = (known & (offset.abs() <= NEAR_RADIUS).all(dim=-1)).flatten().float()
        scores = look_around([level], look.drawn_places, NEAR_RADIUS).log_softmax(dim=-1)
        scores = scores.reshape(-1, 1, cells, cells)
        at_truth = F.grid_sample(
            scores, (offset * (2 / cells)).reshape(-1, 1, 1, 2), padding_mode="border", align_corners=False
        )
        total = total - (at_truth.flatten() * near).sum() / near.sum().clamp(min=1)
        level = F.avg_pool2d(level, 2)
    return total


def doubt_loss(look: LookOutputs, batch: TrainingBatch) -> Tensor:
    """Minus the mean log likelihood of the nodes' errors, which fall exponentially with the distance: isotropic across
    the view, and along it. Only the doubt learns from it, not the places."""
    axes = ray_axes(batch.inputs.nodes[..., :3] + batch.inputs.translation[:, None])[:, None].mT
    error = turn(axes, (look.places - batch.node_targets).detach())[:, 1:]
    across = error[..., :2].square().sum(dim=-1).add(LEAST_ERROR**2).sqrt()
    along = error[..., 2].abs() + LEAST_ERROR
    doubt = look.doubt[:, 1:]
    surprise = across * (-doubt[..., 0]).exp() + 2 * doubt[..., 0] + along * (-doubt[..., 1]).exp() + doubt[..., 1]
    return surprise.mean()


def match_loss(similarities: Tensor, batch: TrainingBatch, known: Tensor) -> Tensor:
    """Cross-entropy of the true place among all cells, for nodes that show in the frame and whose looks are known
    (B, T or 1, K)."""
    side = similarities.shape[-1]
    scores = similarities.flatten(1).log_softmax(dim=-1).view(-1, 1, side, side)
    places = batch.node_places.reshape(-1, 1, 1, 2)
    at_truth = F.grid_sample(scores, places, mode="bilinear", padding_mode="border", align_corners=False).flatten()
    shows = (batch.node_seen & known).flatten().float()
    return -(at_truth * shows).sum() / shows.sum().clamp(min=1)


def bend_at(progress: float, first: float = 0.2, last: float = 0.05) -> float:
    """The Huber loss's bend, falling geometrically as training goes on (progress 0..1)."""
    return first * (last / first) ** progress


class Measured:
    """Sums since the last line of the log."""

    def __init__(self, waited: float) -> None:
        self.sums: dict[str, Tensor] = {}
        self.since, self.waited = time.monotonic(), waited

    def add(self, found: Losses, length: Tensor) -> None:
        values = {field.name: getattr(found, field.name) for field in fields(found) if field.name != "total"}
        for name, value in {**values, "gradient": length}.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()

    def means(self, steps: int) -> dict[str, float]:
        total = torch.stack(list(self.sums.values())) / steps
        return dict(zip(self.sums, total.tolist(), strict=True))
