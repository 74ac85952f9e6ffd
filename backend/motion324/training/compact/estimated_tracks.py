"""Where nodes would be believed to be by a fit to flow and silhouettes that starts from the model's own first answer.

What such fits were found to do, on clips of held-out rigs: of the answer's error across the view they keep 0.6 to 1
where a node is seen and 0.7 to 1 where it is not, and make an error of half that size of their own; motion comes out
too small by a tenth to a third. They never move anything along the view.

Letters: B clips, T frames, K nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motion324.training.synthesis.draws import Draws

WRONGLY_SEEN_SHARE = 0.08
NEIGHBOURHOOD = (0.03, 0.15)  # distance over which nodes err alike
MOST_KEPT = 1.1  # of the answer's error
KEPT_NODE, KEPT_FRAME = 0.25, 0.15  # how much that differs from node to node, and from frame to frame
HIDDEN_KEPT = (0.3, 1.0)  # how much nearer to keeping all of it, where a node is hidden
ERROR = 0.003  # of every node, normalised space
MOST_ERROR_OF_MOTION = 0.35
JITTER = 0.002  # of every node and frame by itself
LAGGING_SHARE, MOST_LAG = 0.6, 0.4  # of the clips; part of a node's motion that is missed
STEADY_SHARE = 0.3  # clips in which most of an error stays the same in all frames


@dataclass(frozen=True)
class TrackErrors:
    """moved (B, T, K, 2): how far nodes truly move in the plane of their depth at the reference frame. kept (B, T, K):
    part of the model's own error there that the fit leaves; 0 of clips without tracks."""

    moved: Tensor
    kept: Tensor


def moved_across(home: Tensor, displacement: Tensor) -> Tensor:
    """home (B, K, 3) in camera space, displacement (B, T, K, 3) -> (B, T, K, 2): what is seen of it, as far away as at
    the reference frame."""
    home = home[:, None]
    now = home + displacement
    return home[..., 2:] * now[..., :2] / now[..., 2:].clamp(min=1e-2) - home[..., :2]


def estimated_tracks(
    places: Tensor, seen: Tensor, home: Tensor, focal: Tensor, share: float, draws: Draws
) -> tuple[Tensor, TrackErrors]:
    """places (B, T, K, 2): of the nodes in the frames, -1..1. seen (B, T, K) bool. home (B, K, 3): the nodes in camera
    space at the reference frame, focal (B,): in units of the frame's side, both as the model is told.

    Returns tracks (B, T, K, 5) as NodeInputs has them, but for what the model's own error adds to them: for this share
    of the clips; else all 0.
    """
    b, t, k = seen.shape
    moved = (places - places[:, :1]) * (home[:, None, :, 2:] / (2 * focal.view(-1, 1, 1, 1)))  # (B, T, K, 2)
    distance = ((home[:, :, None] - home[:, None]) ** 2).sum(dim=-1)  # (B, K, K)
    near = torch.exp(-distance / (2 * draws.uniform(*NEIGHBOURHOOD, b, 1, 1) ** 2))
    smooth = near / near.square().sum(dim=-1, keepdim=True).sqrt()

    steady = torch.where(draws.chance(STEADY_SHARE, b, 1, 1, 1), 0.8, 0.0)
    noise = steady * draws.normal(b, 1, k, 2) + (1 - steady**2).sqrt() * draws.normal(b, t, k, 2)
    level = ERROR + MOST_ERROR_OF_MOTION * draws.uniform(0, 1, b, 1, 1, 1) ** 1.5 * moved.norm(dim=-1, keepdim=True)
    lag = MOST_LAG * draws.uniform(0, 1, b, 1, k, 1) * draws.chance(LAGGING_SHARE, b, 1, 1, 1)
    believed = (moved + level * (smooth[:, None] @ noise) + JITTER * draws.normal(b, t, k, 2)) * (1 - lag)

    kept = draws.uniform(0, MOST_KEPT, b, 1, 1) + KEPT_NODE * (smooth @ draws.normal(b, k, 1)).transpose(1, 2)
    kept = kept + KEPT_FRAME * (smooth[:, None] @ draws.normal(b, t, k, 1))[..., 0]
    kept = torch.where(seen, kept, kept + (1 - kept) * draws.uniform(*HIDDEN_KEPT, b, 1, 1)).clamp(0, MOST_KEPT)

    given = draws.chance(share, b, 1, 1).float().expand(b, t, k)
    flags = torch.stack([(seen ^ draws.chance(WRONGLY_SEEN_SHARE, b, t, k)).float(), given], dim=-1)
    tracks = torch.cat([believed, torch.zeros_like(believed[..., :1]), flags], dim=-1) * given[..., None]
    kept = kept * given
    tracks[:, 0, :, :3], kept[:, 0] = 0, 0
    return tracks, TrackErrors(moved, kept)


def with_own_errors(tracks: Tensor, errors: TrackErrors, home: Tensor, answer: Tensor) -> Tensor:
    """The tracks of a fit that has started from the model's answer: displacements of the nodes (B, T, K, 3), of which
    the reference frame's is 0. home (B, K, 3): as above."""
    wrong = errors.kept[..., None] * (moved_across(home, answer) - errors.moved)
    return torch.cat([tracks[..., :2] + wrong, tracks[..., 2:]], dim=-1)
