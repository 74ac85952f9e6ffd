"""What the node model is trained to do: put points where they truly are, and know nodes again when it sees them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.node_model.model import NodeOutputs
from motion324.training.compact.batches import TrainingBatch

MOTION_FLOOR = 0.05  # of the longest side; clips with less motion than this do not count much more than that
ROUND_DECAY = 0.8  # a round counts this much of the next one
MATCH_WEIGHT = 0.02


@dataclass(frozen=True)
class Losses:
    """total: to be minimised. points: its part for positions. matches: mean cross-entropy of finding visible nodes."""

    total: Tensor
    points: Tensor
    matches: Tensor


def losses(outputs: NodeOutputs, batch: TrainingBatch, bend: float | Tensor) -> Losses:
    """bend: the error, in normalised units, where the Huber loss turns from a parabola into a line; () as a tensor."""
    truth = batch.targets[:, 1:]
    motion = (truth - batch.targets[:, :1]).norm(dim=-1).mean(dim=(1, 2))
    weight = 1 / (motion + MOTION_FLOOR)
    total = truth.new_zeros(())
    rounds = len(outputs.positions)
    for number, positions in enumerate(outputs.positions):
        error = (positions[:, 1:] - truth).abs()
        huber = torch.where(error < bend, error.square() / (2 * bend), error - bend / 2).sum(dim=-1)
        total = total + ROUND_DECAY ** (rounds - 1 - number) * (huber.mean(dim=(1, 2)) * weight).mean()
    matches = match_loss(outputs.similarities, batch)
    return Losses(total + MATCH_WEIGHT * matches, total.detach(), matches.detach())


def match_loss(similarities: Tensor, batch: TrainingBatch) -> Tensor:
    """Cross-entropy of the true place among all cells, for nodes that show in the reference frame and in the other."""
    side = similarities.shape[-1]
    scores = similarities.flatten(1).log_softmax(dim=-1).view(-1, 1, side, side)
    places = batch.node_places.reshape(-1, 1, 1, 2)
    at_truth = F.grid_sample(scores, places, mode="bilinear", padding_mode="border", align_corners=False).flatten()
    shows = (batch.node_seen & batch.node_seen[:, :1]).flatten().float()
    return -(at_truth * shows).sum() / shows.sum().clamp(min=1)


def bend_at(progress: float, first: float = 0.2, last: float = 0.05) -> float:
    """The Huber loss's bend, falling geometrically as training goes on (progress 0..1)."""
    return first * (last / first) ** progress
