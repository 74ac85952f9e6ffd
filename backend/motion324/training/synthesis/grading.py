"""Gives filmed bodies the looks that cameras and places give them: other contrast, colours and brightness than the
mesh's, which drift while the camera adapts, and the light of the background on the body and around its borders.

Letters: B clips, T frames, S the side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion324.training.shared.fused import fused
from motion324.training.synthesis.rig_bank import Draws

SATURATION, CONTRAST = (0.4, 1.6), (0.6, 1.5)
TINT, DRIFT = 0.15, 0.08  # standard deviation of the logarithms of gains: of a colour, and of all over the time
MOST_CAST, MOST_HAZE = 0.6, 0.2  # how far light takes the background's colour, and how much of that lies before a body


def graded(colours: Tensor, alpha: Tensor, backgrounds: Tensor, share: float, draws: Draws) -> Tensor:
    """colours (B, T, 3, S, S) times alpha (B, T, 1, S, S), backgrounds (B, T or 1, 3, S, S) -> colours times alpha."""
    b, t = colours.shape[:2]
    one = (b, 1, 1, 1, 1)
    chosen = draws.chance(share, *one)
    mean = backgrounds.mean(dim=(1, 3, 4), keepdim=True)
    cast = draws.chance(0.5, *one) * draws.uniform(0, MOST_CAST, *one)
    haze = draws.chance(0.3, *one) * draws.uniform(0, MOST_HAZE, *one)
    times = torch.arange(t, device=colours.device).float().expand(b, -1)
    drift = draws.chance(0.5, *one) * DRIFT * draws.smooth_curves(times).view(b, t, 1, 1, 1)
    gain = (TINT * draws.normal(b, 1, 3, 1, 1) + 0.2 * draws.normal(*one) + drift).exp()
    gain = gain * torch.lerp(torch.ones_like(mean), mean / mean.mean(dim=2, keepdim=True).clamp(min=0.1), cast)
    saturation, contrast = draws.log_uniform(*SATURATION, *one), draws.log_uniform(*CONTRAST, *one)
    return _graded(colours, alpha, mean, haze, gain, saturation, contrast, chosen)


@fused
def _graded(
    colours: Tensor,
    alpha: Tensor,
    mean: Tensor,
    haze: Tensor,
    gain: Tensor,
    saturation: Tensor,
    contrast: Tensor,
    chosen: Tensor,
) -> Tensor:
    grey = colours.mean(dim=2, keepdim=True)
    found = (grey + saturation * (colours - grey)) * gain
    found = 0.45 * alpha + contrast * (found - 0.45 * alpha)
    found = torch.lerp(found, mean * alpha, haze).clamp(min=0).minimum(alpha)
    return torch.where(chosen, found, colours)
