"""Compares what the node model sees when it looks again: its own answer, drawn, and the frame beside it.

Drawing and frame go through the same encoder. Around every node its look in the drawing is compared with the frame, and
so is every cell of the drawing, whether a node lies there or not. Where in the frame the node's surroundings look most
like the drawn node is also told as a place, towards which a node can be pulled. All layers of this file begin by
adding nothing. Letters: see model.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion324.reconstructors.node_model.config import FARTHEST_BEHIND, HIDDEN_BEHIND, NodeModelConfig
from motion324.reconstructors.node_model.geometry import look_around, sample_at, similarity_pyramid

DRAWN_VALUES = 4  # how far behind, whether seen, and how far the node's place has moved since it was drawn
CELL_LEVELS, CELL_WIDTH = 2, 24  # scales at which cells are compared (strides 8 and 16); values kept of a cell
USUAL_DOUBT, LEAST_DOUBT, MOST_DOUBT = math.log(0.03), math.log(0.002), math.log(0.5)  # of the longest side


@dataclass(frozen=True)
class Drawings:
    """The mesh in its predicted poses, drawn by the camera that the model is told.

    pictures (B, T, 4, S, S): its own colours on black, lit from the camera, and its mask; 0..1. behind (B, T, K): how
    far each node lies behind what is drawn at its place, 0..FARTHEST_BEHIND.
    """

    pictures: Tensor
    behind: Tensor


@dataclass(frozen=True)
class Compared:
    """What stays the same in a look's rounds. places (B, T, K, 2): where the nodes were drawn, -1..1. fixed
    (B, T, K, .): what they look like there. pyramid: where in the frame it looks like that, as similarity_pyramid has
    it. patches (B * T, M, d): what the frame's patches are, and how those of the drawing differ."""

    places: Tensor
    fixed: Tensor
    pyramid: list[Tensor]
    patches: Tensor


class DrawnLook(nn.Module):
    def __init__(self, config: NodeModelConfig) -> None:
        super().__init__()
        self.radius, self.levels = config.match_radius, config.match_levels
        looked = (2 * config.match_radius + 1) ** 2
        width = config.width
        fixed = config.channels[2] + config.match_width + 2
        self.drawn_in = nn.Linear(fixed + config.match_levels * looked + DRAWN_VALUES - 2, width)
        self.pull_in = nn.Linear(3 * config.match_levels, width)
        self.pull_norm = nn.LayerNorm(width)
        self.pull_gate = nn.Linear(width, config.match_levels)
        self.pull_sharpness = nn.Parameter(torch.zeros(config.match_levels))
        self.cell_in = nn.Linear(CELL_LEVELS * looked, CELL_WIDTH)
        self.cells_in = nn.Linear(4 * CELL_WIDTH, width)
        self.drawn_patch = nn.Parameter(torch.zeros(width))
        self.memory_norm = nn.LayerNorm(width)
        self.memory = nn.Parameter(torch.zeros(width))
        self.doubt_norm = nn.LayerNorm(width)
        self.doubt_head = nn.Linear(width, 2)
        for layer in (self.drawn_in, self.pull_in, self.pull_gate, self.cells_in, self.doubt_head):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def compare(
        self,
        drawn: tuple[Tensor, Tensor, Tensor],
        frames: tuple[Tensor, Tensor, Tensor],
        places: Tensor,
        behind: Tensor,
    ) -> Compared:
        """drawn, frames: match maps and fine maps (B, T, c, h, w), and patches (B * T, M, d), of the drawings and of
        the frames. places (B, T, K, 2): where the nodes are drawn. behind: see Drawings."""
        match_maps, fine_maps, patches = drawn
        shape, flat = places.shape[:2], places.flatten(0, 1)
        match = sample_at(match_maps.flatten(0, 1), flat).unflatten(0, shape)
        fine = sample_at(fine_maps.flatten(0, 1), flat).unflatten(0, shape)
        seen = torch.stack([behind / FARTHEST_BEHIND, (behind < HIDDEN_BEHIND).to(behind.dtype)], dim=-1)
        pyramid = similarity_pyramid(frames[0], match.to(frames[0].dtype), self.levels)
        differ = self._differences(match_maps, frames[0])
        return Compared(
            places, torch.cat([fine, match, seen], dim=-1), pyramid, frames[2] + differ + self.drawn_patch * patches
        )

    def seen(self, compared: Compared, places: Tensor) -> tuple[Tensor, Tensor]:
        """places (B, T, K, 2): where the nodes are now believed to be -> (B, T, K, d), to be added to their tokens, and
        pulls (B, T, K, levels, 3): by each scale, how far away (-1..1) the frame looks like the drawn node on average,
        and how sure the best place is."""
        looked = look_around(compared.pyramid, places, self.radius)
        pulls = self._pulls(looked, [level.shape[-1] for level in compared.pyramid])
        parts = [compared.fixed, looked, 10 * (places - compared.places)]
        told = torch.cat([10 * pulls[..., :2], pulls[..., 2:]], dim=-1).flatten(-2)
        return self.drawn_in(torch.cat(parts, dim=-1)) + self.pull_in(told), pulls

    def pulled(self, tokens: Tensor, pulls: Tensor) -> Tensor:
        """tokens (B, T, K, d), pulls of the same round -> (B, T, K, 2): how far the nodes are pulled, -1..1."""
        gates = self.pull_gate(self.pull_norm(tokens)).float()
        return (gates[..., None] * pulls[..., :2]).sum(dim=-2)

    def _pulls(self, looked: Tensor, sides: list[int]) -> Tensor:
        """looked (B, T, K, levels * window), as look_around has it; sides: of the levels' maps -> see `seen`."""
        steps = torch.arange(-self.radius, self.radius + 1, device=looked.device, dtype=torch.float32)
        count = len(steps)
        window = torch.stack([steps.repeat(count), steps.repeat_interleave(count)], dim=-1)  # x varies first
        sharpness = self.pull_sharpness.exp()[:, None]
        likely = (looked.float().unflatten(-1, (self.levels, count * count)) * sharpness).softmax(dim=-1)
        cells = looked.new_tensor([2.0 / side for side in sides], dtype=torch.float32)[:, None]
        return torch.cat([(likely @ window) * cells, likely.amax(dim=-1, keepdim=True)], dim=-1)

    def remembered(self, tokens: Tensor) -> Tensor:
        """(B, T, K, d): what a look keeps of the tokens that the one before has left."""
        result: Tensor = self.memory * self.memory_norm(tokens)
        return result

    def doubt(self, tokens: Tensor) -> Tensor:
        """tokens (B, T, K, d) -> (B, T, K, 2): logarithms of the errors that are expected of the nodes' places across
        and along the view, normalised space."""
        told = self.doubt_head(self.doubt_norm(tokens)).float()
        return (USUAL_DOUBT + told).clamp(LEAST_DOUBT, MOST_DOUBT)

    def _differences(self, drawn: Tensor, frames: Tensor) -> Tensor:
        """match maps (B, T, c, h, w) -> (B * T, M, d): per patch, where what is drawn around it appears in the
        frame."""
        b, t, _, h, w = drawn.shape
        cells = F.avg_pool2d(drawn.flatten(0, 1), 2).flatten(2).transpose(1, 2)  # (B * T, h / 2 * w / 2, c)
        within = F.avg_pool2d(frames.flatten(0, 1), 2)
        h, w = h // 2, w // 2
        pyramid = similarity_pyramid(within[:, None], cells[:, None], CELL_LEVELS)
        rows = (torch.arange(h, device=drawn.device, dtype=torch.float32) + 0.5) * (2.0 / h) - 1
        columns = (torch.arange(w, device=drawn.device, dtype=torch.float32) + 0.5) * (2.0 / w) - 1
        places = torch.stack([columns.view(1, w).expand(h, w), rows.view(h, 1).expand(h, w)], dim=-1)
        places = places.reshape(1, 1, h * w, 2).expand(b * t, 1, -1, -1)
        told = F.gelu(self.cell_in(look_around(pyramid, places, self.radius)))  # (B * T, 1, cells, .)
        told = told.reshape(b * t, h // 2, 2, w // 2, 2, CELL_WIDTH).permute(0, 1, 3, 2, 4, 5)
        result: Tensor = self.cells_in(told.reshape(b * t, (h // 2) * (w // 2), 4 * CELL_WIDTH))
        return result
