"""Gives bodies the colours of others: every vertex that of the place of the other body which lies where it does.

Letters: B clips, V vertices of all clips together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from motion324.training.synthesis.rig_bank import Draws, ModelBatch

MOST_PLACES = 1024  # of another body whose colours are looked at
TURNED_SHARE = 0.5  # of the clips, those in which the other body's axes are changed about


def with_exchanged_colours(models: ModelBatch, share: float, draws: Draws, hosts: np.random.Generator) -> ModelBatch:
    """The models, this share of the clips in the colours of another one of the batch. hosts: draws which."""
    batch = len(models.face_counts)
    chosen = np.flatnonzero(hosts.random(batch) < share) if share and batch > 1 else np.array([], int)
    if not len(chosen):
        return models
    ends = torch.bincount(models.vertex_clip, minlength=batch).cumsum(0).tolist()
    rows = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    colours = models.colours.clone()
    for clip in chosen.tolist():
        other = rows[(clip + 1 + int(hosts.integers(batch - 1))) % batch]
        count = other.stop - other.start
        some = other.start + draws.below(torch.full((min(count, MOST_PLACES),), count, device=draws.device))
        places = _within_the_body(models.rest[other])[some - other.start]
        if hosts.random() < TURNED_SHARE:
            places = places[:, hosts.permutation(3).tolist()] * torch.tensor(hosts.choice([-1.0, 1.0], 3)).to(places)
        nearest = torch.cdist(_within_the_body(models.rest[rows[clip]]), places).argmin(dim=1)
        colours[rows[clip]] = models.colours[some[nearest]]
    return replace(models, colours=colours)


def _within_the_body(rest: Tensor) -> Tensor:
    """rest (N, 3): one body's vertices -> in parts of half its extents along the axes, -1..1."""
    low, high = rest.amin(dim=0), rest.amax(dim=0)
    return (2 * rest - low - high) / (high - low).clamp(min=1e-3)
