"""Computes where the points of a shape are in every frame of a video of it: the model of Motion 3-to-4.

Letters: T frames, S surface samples, N points, K latent tokens, P patches of a frame, d width, H heads of width e,
L = special tokens + K + P tokens of a frame. There is no batch axis: one shape and one video at a time.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion324.reconstructors.motion_transformer import fused
from motion324.reconstructors.motion_transformer.blocks import (
    NORM_EPS,
    CrossAttentionBlock,
    SelfAttention,
    SelfAttentionBlock,
)
from motion324.reconstructors.motion_transformer.config import ModelConfig
from motion324.reconstructors.motion_transformer.dinov2 import ImageEncoder, space_time_table
from motion324.reconstructors.motion_transformer.execution import Execution


@dataclass(frozen=True)
class Points:
    """positions (N, 3), normals (N, 3) of unit length, colours (N, 3) in [0, 1]; normalised space, float32."""

    positions: Tensor
    normals: Tensor
    colours: Tensor

    def __len__(self) -> int:
        return self.positions.shape[0]

    def __getitem__(self, rows: slice) -> Points:
        return Points(self.positions[rows], self.normals[rows], self.colours[rows])


class PointEmbedding(nn.Module):
    """A position as sines and cosines of doubling frequencies, and itself. Always in float32."""

    def __init__(self, width: int, frequencies: int) -> None:
        super().__init__()
        doubling = [math.pi * 2.0**k for k in range(frequencies)]
        rows = [[0.0] * (frequencies * axis) + doubling + [0.0] * (frequencies * (2 - axis)) for axis in range(3)]
        self.register_buffer("basis", torch.tensor(rows))
        self.mlp = nn.Linear(6 * frequencies + 3, width)

    def forward(self, positions: Tensor) -> Tensor:
        """positions (N, 3) -> (N, d)."""
        # Not as a matrix product, whose inputs TF32 would round before frequencies of up to 2^7 pi multiply them.
        angles = (positions[..., None] * self.basis).sum(dim=-2)
        return self.mlp(torch.cat([angles.sin(), angles.cos(), positions], dim=-1))


class MotionModel(nn.Module):
    """The parameters carry the names that they have in published checkpoints."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width, sizes = config.width, (config.width, config.head_width, config.mlp_width)
        self.point_embed = PointEmbedding(width, config.frequencies)
        self.point_normal_rgb_proj = nn.Linear(width + 6, width)
        self.learnable_tokens = nn.Parameter(torch.zeros(1, config.latent_tokens, width))
        self.encoder_cross_attn = CrossAttentionBlock(*sizes)
        self.points_transformer_blocks = nn.ModuleList(SelfAttentionBlock(*sizes) for _ in range(config.surface_layers))
        self.image_encoder = ImageEncoder(config.image)
        self.special_token_0 = nn.Parameter(torch.zeros(1, config.special_tokens, width))
        self.special_token_rest = nn.Parameter(torch.zeros(1, config.special_tokens, width))
        self.transformer_input_layernorm = nn.LayerNorm(width, eps=NORM_EPS, bias=False)
        self.global_transformer_blocks = nn.ModuleList(SelfAttentionBlock(*sizes) for _ in range(config.layer_pairs))
        self.local_transformer_blocks = nn.ModuleList(SelfAttentionBlock(*sizes) for _ in range(config.layer_pairs))
        self.decoder_cross_attn = CrossAttentionBlock(*sizes)
        self.shared_mlp_output = nn.Sequential(
            nn.LayerNorm(width, eps=NORM_EPS), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 3)
        )

    # --- the parts, in the order of the computation -------------------------------------------------------------------

    def embed_points(self, points: Points, run: Execution) -> Tensor:
        """-> features (N, d) float32."""
        if torch.is_grad_enabled():
            return self._embed(points)
        features = torch.empty(len(points), self.config.width, device=points.positions.device)

        def compute(rows: slice) -> None:
            features[rows] = self._embed(points[rows])

        flop = 2.0 * (self.point_embed.mlp.weight.numel() + self.point_normal_rgb_proj.weight.numel())
        run.by_rows("points", len(points), flop, compute)
        return features

    def _embed(self, points: Points) -> Tensor:
        features = self.point_embed(points.positions)
        return self.point_normal_rgb_proj(torch.cat([features, points.normals, points.colours], dim=-1))

    def encode_surface(self, features: Tensor, run: Execution) -> Tensor:
        """features (S, d) of the surface samples -> latent tokens (K, d) float32."""
        stream = self.encoder_cross_attn(self.learnable_tokens, features[None], run)
        branch = None
        for block in self.points_transformer_blocks:
            stream, branch = block(stream, branch, run)
        return (stream if branch is None else stream + branch)[0]

    def assemble_tokens(self, latent: Tensor, patches: Tensor, trained_frames: int) -> Tensor:
        """latent (K, d), patches (T, P, d) without their positions -> the transformer's input (T, L, d) float32.

        trained_frames: the length that the space-time table is made for; T frames are spread over it.
        """
        frames, _, width = patches.shape
        time, space = space_time_table(frames, trained_frames, width)
        time, space = time.to(patches), space.to(patches)
        placed = torch.cat([patches[..., : width // 3] + time[:, None], patches[..., width // 3 :] + space], dim=-1)
        special = torch.cat([self.special_token_0, self.special_token_rest.expand(frames - 1, -1, -1)])
        tokens = torch.cat([special, latent.expand(frames, -1, -1), placed], dim=1)
        return F.layer_norm(tokens, (width,), self.transformer_input_layernorm.weight, None, NORM_EPS)

    def transform(self, tokens: Tensor, run: Execution) -> Tensor:
        """tokens (T, L, d) -> motion tokens (T, K, d) float32. `tokens` may be overwritten.

        The last block computes the motion tokens only, since nothing else is asked for.
        """
        frames, length, width = tokens.shape
        together, apart = (1, frames * length, width), (frames, length, width)
        own = slice(self.config.special_tokens, self.config.special_tokens + self.config.latent_tokens)
        first, *others = self.global_transformer_blocks
        stream, branch = self._first_global_block(first, tokens, run)
        for local_block, global_block in zip(self.local_transformer_blocks, others, strict=False):
            stream, branch = local_block(stream.view(apart), branch.view(apart), run)
            stream, branch = global_block(stream.view(together), branch.view(together), run)
        stream, branch = self.local_transformer_blocks[-1](stream.view(apart), branch.view(apart), run, only=own)
        return stream + branch

    def _first_global_block(self, block: nn.Module, tokens: Tensor, run: Execution) -> tuple[Tensor, Tensor]:
        """tokens (T, L, d) -> the block's stream and branch, both (T, L, d).

        Before this block has mixed the frames, the latent tokens are the same in every frame, and so are the special
        tokens in all frames but the first. Each is computed once here, and as a key counts as often as it occurs: over
        256 frames that spares a fifth of the tokens, and so 38 percent of this block's attention.
        """
        frames, _, width = tokens.shape
        special, latent = self.config.special_tokens, self.config.latent_tokens
        if frames == 1 or torch.is_grad_enabled():
            stream, branch = block(tokens.flatten(0, 1)[None], None, run)
            return stream.view(tokens.shape), branch.view(tokens.shape)
        head, shared = special + latent, 2 * special + latent
        once = torch.cat([tokens[1, :special], tokens[0, :head], tokens[:, head:].flatten(0, 1)])[None]
        counts = ((special, frames - 1), (special, 1), (latent, frames))
        log_counts = _log_counts(counts, tokens.device)

        def in_every_frame(x: Tensor) -> Tensor:
            """(1, 2 special + K + T P, d) -> (T, L, d)."""
            x = x[0]
            later = x[:special].expand(frames - 1, -1, -1)
            specials = torch.cat([x[None, special : 2 * special], later])
            latents = x[2 * special : shared].expand(frames, -1, -1)
            return torch.cat([specials, latents, x[shared:].view(frames, -1, width)], dim=1)

        stream, branch = block(once, None, run, log_counts=log_counts)
        return in_every_frame(stream), in_every_frame(branch)

    def decode(self, features: Tensor, queries: Tensor, keys: Tensor, values: Tensor, run: Execution) -> Tensor:
        """Positions of N points in T frames.

        features (N, d) float32 and queries (N, H, e) of the points, which no frame changes; keys and values
        (T, K, H, e) of the frames' motion tokens -> (T, N, 3) float32.
        """
        repeated = queries[None].expand(keys.shape[0], -1, -1, -1)
        branches = self.decoder_cross_attn.branches(features, repeated, keys, values, run)
        norm, widen, _, project = self.shared_mlp_output
        _, x = fused.norm_of_sum(
            features, branches, norm.weight, norm.bias, norm.eps, widen.weight.dtype, keep_sum=False
        )
        x = fused.linear_gelu(x.flatten(0, 1), widen.weight, widen.bias)
        return fused.project_to_three(x, project.weight, project.bias).view(keys.shape[0], -1, 3)

    # --- all of it, for training and for tests ------------------------------------------------------------------------

    def forward(self, surface: Points, points: Points, video: Tensor, trained_frames: int) -> Tensor:
        """surface of S samples, points of N, video (T, H, W, 3) uint8 or in [0, 1] -> positions (T, N, 3)."""
        run = Execution.plain(video.device)
        latent = self.encode_surface(self.embed_points(surface, run), run)
        tokens = self.assemble_tokens(latent, self.image_encoder(video, run), trained_frames)
        keys, values = self.decoder_cross_attn.keys_and_values(self.transform(tokens, run), run)
        features = self.embed_points(points, run)
        return self.decode(features, self.decoder_cross_attn.queries(features[None], run)[0], keys, values, run)

    # --- for inference ------------------------------------------------------------------------------------------------

    def blocks(self) -> list[nn.Module]:
        """What runs in the chosen precision; all else stays in float32."""
        return [
            self.encoder_cross_attn,
            self.points_transformer_blocks,
            self.global_transformer_blocks,
            self.local_transformer_blocks,
            self.decoder_cross_attn,
            self.shared_mlp_output[1],
        ]

    def prepare_for_inference(self, dtype: torch.dtype) -> None:
        """Casts the matrices of the blocks (not their norms) to `dtype`, and folds what can be folded."""
        self.requires_grad_(False)
        for part in self.blocks():
            for module in part.modules():
                if isinstance(module, nn.Linear):
                    module.to(dtype)
                elif isinstance(module, SelfAttention):
                    module.prepare_for_inference()
        self.image_encoder.model.prepare_for_inference()


@functools.cache
def _log_counts(counts: tuple[tuple[int, int], ...], device: torch.device) -> Tensor:
    """counts: how many keys in a row, and how often each of them counts -> the logarithms, key by key."""
    with torch.inference_mode(False):
        return torch.cat([torch.full((some,), math.log(count)) for some, count in counts]).to(device)
