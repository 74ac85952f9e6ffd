"""Runs the motion transformer over whole batches, differentiably: the same function as MotionModel.forward.

Letters: B samples, T frames, S surface samples, N points, K latent tokens, P patches, d width, L tokens of a frame.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.reconstructors.motion_transformer import fused
from motion324.reconstructors.motion_transformer.attention import Attention
from motion324.reconstructors.motion_transformer.attention_kernels import first_line
from motion324.reconstructors.motion_transformer.blocks import NORM_EPS
from motion324.reconstructors.motion_transformer.device import tf32_products
from motion324.reconstructors.motion_transformer.dinov2 import space_time_table
from motion324.reconstructors.motion_transformer.execution import Execution, Pace
from motion324.reconstructors.motion_transformer.model import MotionModel

COMPILED_FORMS = 32  # of one block: for a surface, all frames, one frame, the first and the last, without gradients


class TrainingExecution(Execution):
    """Every operation in one piece and in autocast's precision, with and without gradients."""

    def __init__(self, device: torch.device, attention: Attention, one_call: bool) -> None:
        """one_call: attention by PyTorch's own choice of kernel, which torch.compile can look into."""
        super().__init__(attention, Pace(device, whole=True), tf32=device.type == "cuda")
        self._one_call = one_call

    def linear(self, kind: str, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.linear(x, weight, bias)

    def mlp(self, kind: str, x: Tensor, widen: Tensor, narrow: Tensor) -> Tensor:
        return F.linear(F.gelu(F.linear(x, widen)), narrow)

    def attend(
        self, kind: str, q: Tensor, k: Tensor, v: Tensor, log_counts: Tensor | None = None, bounded: bool = False
    ) -> Tensor:
        if self._one_call:
            q, k, v = (x.transpose(1, 2) for x in (q, k, v))
            return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.attention(q, k, v).flatten(2)


class BatchedTransformer(nn.Module):
    """frames: the length that the space-time table is made for, which is that of the samples."""

    def __init__(
        self,
        model: MotionModel,
        frames: int,
        *,
        frozen_images: bool,
        recompute: bool = False,
        compiled: bool = False,
        attention: str = "auto",
    ) -> None:
        super().__init__()
        self.use_attention(attention)
        self.model = model
        self.frames = frames
        self.frozen_images = frozen_images
        self._recompute = recompute
        self._compiled = compiled
        model.image_encoder.requires_grad_(not frozen_images)
        if compiled:
            torch._dynamo.config.recompile_limit = max(COMPILED_FORMS, torch._dynamo.config.recompile_limit)
            for block in self.blocks():
                block.compile(dynamic=False)

    def use_attention(self, choice: str) -> None:
        """choice: one of motion324.core.options.animate_options.ATTENTION_CHOICES."""
        self.attention = Attention(choice)

    def blocks(self) -> list[nn.Module]:
        """The self-attention blocks, which hold nearly all trained parameters."""
        model = self.model
        parts = (model.points_transformer_blocks, model.global_transformer_blocks, model.local_transformer_blocks)
        return [block for part in parts for block in part]

    def forward(self, video: Tensor, surface: Tensor, points: Tensor) -> Tensor:
        """video (B, T, H, W, 3) uint8, surface (B, S, 9), points (B, N, 9) -> positions (B, T, N, 3) float32."""
        run = TrainingExecution(video.device, self.attention, self._compiled)
        latent = self._latent_tokens(self._embedded(surface), run)
        motion = self._motion_tokens(latent, self._patches(video, run), run)
        features = self._embedded(points)
        positions: Tensor = self._kept_or_not(self._decoded, features, motion, run)
        return positions

    def _embedded(self, points: Tensor) -> Tensor:
        """(B, N, 9) -> features (B, N, d), in float32 always: bfloat16 would round a position to 1/256 of itself."""
        model = self.model
        with torch.autocast(points.device.type, enabled=False):
            positions, attributes = points[..., :3], points[..., 3:]
            embedded = model.point_embed(positions)
            return model.point_normal_rgb_proj(torch.cat([embedded, attributes], dim=-1))

    def _latent_tokens(self, features: Tensor, run: Execution) -> Tensor:
        """(B, S, d) -> (B, K, d)."""
        model = self.model
        start = model.learnable_tokens.expand(features.shape[0], -1, -1)
        stream = self._kept_or_not(model.encoder_cross_attn, start, features, run)
        branch = None
        for block in model.points_transformer_blocks:
            stream, branch = self._kept_or_not(block, stream, branch, run)
        return stream if branch is None else stream + branch

    def _patches(self, video: Tensor, run: Execution) -> Tensor:
        """(B, T, H, W, 3) -> (B, T, P, d), in float32 (TF32) always, as at inference."""
        keep = torch.is_grad_enabled() and not self.frozen_images
        with (
            torch.autocast(video.device.type, enabled=False),
            tf32_products(True),
            torch.set_grad_enabled(keep),
        ):
            return self.model.image_encoder(video.flatten(0, 1), run).unflatten(0, video.shape[:2])

    def _motion_tokens(self, latent: Tensor, patches: Tensor, run: Execution) -> Tensor:
        """latent (B, K, d), patches (B, T, P, d) -> (B, T, K, d)."""
        model, (batch, frames, _, width) = self.model, patches.shape
        time, space = space_time_table(frames, self.frames, width)
        time, space = time.to(patches), space.to(patches)
        placed = torch.cat([patches[..., : width // 3] + time[:, None], patches[..., width // 3 :] + space], dim=-1)
        special = torch.cat([model.special_token_0, model.special_token_rest.expand(frames - 1, -1, -1)])
        own = [special.expand(batch, -1, -1, -1), latent[:, None].expand(-1, frames, -1, -1)]
        tokens = F.layer_norm(
            torch.cat([*own, placed], dim=2), (width,), model.transformer_input_layernorm.weight, None, NORM_EPS
        )
        together, apart = (batch, -1, width), (batch * frames, -1, width)
        only = slice(special.shape[1], special.shape[1] + latent.shape[1])
        stream, branch = tokens, None
        last = model.local_transformer_blocks[-1]
        for over_all, over_frames in zip(model.global_transformer_blocks, model.local_transformer_blocks, strict=True):
            branch = None if branch is None else branch.reshape(together)
            stream, branch = self._kept_or_not(over_all, stream.reshape(together), branch, run)
            wanted = {"only": only} if over_frames is last else {}
            stream, branch = self._kept_or_not(over_frames, stream.reshape(apart), branch.reshape(apart), run, **wanted)
        return (stream + branch).unflatten(0, (batch, frames))

    def _decoded(self, features: Tensor, motion: Tensor, run: Execution) -> Tensor:
        """features (B, N, d), motion (B, T, K, d) -> (B, T, N, 3)."""
        block = self.model.decoder_cross_attn
        batch, frames = motion.shape[:2]
        queries = block.queries(features, run)
        repeated = queries[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1)
        keys, values = block.keys_and_values(motion.flatten(0, 1), run)
        attended = run.attend("cross-attention", repeated, keys, values)
        first = run.linear("cross-attention's output", attended, block.attn.fc.weight).unflatten(0, (batch, frames))
        norm2 = block.norm2
        total, x = fused.norm_of_sum_plain(features[:, None], (first,), norm2.weight, None, norm2.eps, features.dtype)
        norm, widen, _, project = self.model.shared_mlp_output
        _, x = fused.norm_of_sum_plain(total, (block.mlp(x, run),), norm.weight, norm.bias, norm.eps, features.dtype)
        x = F.gelu(F.linear(x, widen.weight, widen.bias))
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round the positions to 1/256 of themselves
            return F.linear(x.float(), project.weight.float(), project.bias.float())

    def _kept_or_not(self, part: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The part's result; its activations are kept for the backward pass, or computed there anew."""
        if self._recompute and torch.is_grad_enabled():
            return checkpoint(part, *arguments, use_reentrant=False, **options)
        return part(*arguments, **options)


def squared_error(predicted: Tensor, targets: Tensor) -> Tensor:
    """The loss: mean squared error of the coordinates (normalised space). predicted, targets (B, T, N, 3) -> scalar."""
    return F.mse_loss(predicted.float(), targets)


log = logging.getLogger(__name__)

PLAINER = ("flash", "efficient", "math")  # PyTorch's own, tried in this order where "auto" fails


def settle_attention(module: BatchedTransformer, choice: str, step: Callable[[], object]) -> str:
    """The first choice whose forward and backward pass runs, which the module uses from then on.

    choice: of the configuration; "auto" may fall back. step: one small forward and backward pass.
    Raises Motion324Error("attention-unavailable") where another choice fails.
    """
    for name in (choice, *PLAINER) if choice == "auto" else (choice,):
        module.use_attention(name)
        try:
            step()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            why = first_line(error)
            log.warning("The attention kernels of '%s' cannot be trained through here: %s", name, why)
            continue
        return name
    raise Motion324Error(
        "attention-unavailable",
        f"No attention kernel of '{choice}' can be trained through on this device: {why}.",
        "Set steps.attention to another one.",
        EXIT_BACKEND,
    )
