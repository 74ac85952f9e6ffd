"""Holds DINOv2's vision transformer, as far as the model needs it: from frames to patch tokens.

Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023. It runs in float32 throughout.
Letters: B frames, P = 256 patches, d width, H heads of width e.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion324.reconstructors.motion_transformer.config import IMAGE_PATCHES, ImageEncoderConfig
from motion324.reconstructors.motion_transformer.execution import Execution

# DINOv2 passes the interpolation a scale factor of (patches + 0.1) / grid instead of the size, which shifts every
# sampling position a little; the trained weights expect it.
DINO_INTERPOLATION_OFFSET = 0.1


def axis_table(count: int, width: int) -> torch.Tensor:
    """(count, width / 3) float32: sines, then cosines, of the cells' coordinates in [-1, 1].

    The frequencies are 2^(7 j / (m - 1)), j = 0..m-1, with m = width / 6.
    """
    m = width // 6
    frequencies = 2.0 ** (7.0 * torch.arange(m, dtype=torch.float64) / max(m - 1, 1))
    cells = torch.linspace(-1.0, 1.0, count, dtype=torch.float64) if count > 1 else torch.zeros(1, dtype=torch.float64)
    angles = cells[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def space_time_table(frames: int, trained_frames: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The table added to the patch tokens, as its parts over time and over space.

    The full table of (frames, 16, 16, width) numbers is a sum of sines that each depend on one axis: the first third of
    the width on the time, the second on the row, the last on the column. So resizing it trilinearly from
    `trained_frames` to `frames` is a linear resizing of the first third alone.

    Returns time (frames, width / 3) and space (256, 2 width / 3), both float32.
    """
    time = axis_table(trained_frames, width)
    if frames != trained_frames:
        time = F.interpolate(time.T[None], size=frames, mode="linear", align_corners=False)[0].T
    side = axis_table(IMAGE_PATCHES, width)
    rows = side[:, None, :].expand(-1, IMAGE_PATCHES, -1)
    columns = side[None, :, :].expand(IMAGE_PATCHES, -1, -1)
    return time.contiguous(), torch.cat([rows, columns], dim=-1).flatten(0, 1)


def resample_image_table(table: torch.Tensor, patches: int = IMAGE_PATCHES) -> torch.Tensor:
    """DINOv2's table (1, 1 + G*G, width) -> (1 + patches^2, width): the class entry, then the grid, bicubic."""
    entries = table[0].float()
    side = round((entries.shape[0] - 1) ** 0.5)
    if side == patches:
        return entries
    grid = entries[1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scale = (patches + DINO_INTERPOLATION_OFFSET) / side
    grid = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic", antialias=False)
    return torch.cat([entries[:1], grid[0].flatten(1).T])


NORM_EPS = 1e-6
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_DEVIATION = (0.229, 0.224, 0.225)


def prepare_images(frames: Tensor, size: int) -> Tensor:
    """frames (B, H, W, 3), uint8 or float in [0, 1] -> (B, 3, size, size) float32, normalised as DINOv2 expects.

    Bilinear without antialiasing, the aspect is not kept.
    """
    images = frames.permute(0, 3, 1, 2)
    images = images.float() / 255.0 if frames.dtype == torch.uint8 else images.float()
    if images.shape[-2:] != (size, size):
        images = F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False, antialias=False)
    mean, deviation = _colours(images.device)
    return (images - mean) / deviation


@functools.cache
def _colours(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation (3, 1, 1), sent to the device once: a copy anew would make it wait."""
    with torch.inference_mode(False):
        mean, deviation = (torch.tensor(values, device=device) for values in (IMAGE_MEAN, IMAGE_DEVIATION))
    return mean[:, None, None], deviation[:, None, None]


def flop_per_block(config: ImageEncoderConfig) -> float:
    """Arithmetic of one block for one frame."""
    tokens = IMAGE_PATCHES**2 + 1
    return tokens * (8.0 * config.width**2 + 4.0 * config.width * config.mlp_width + 4.0 * tokens * config.width)


class PatchEmbedding(nn.Module):
    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, config.patch, stride=config.patch)

    def forward(self, images: Tensor) -> Tensor:
        """images (B, 3, S, S) -> (B, P, d); the convolution as the one matrix product that it is."""
        patch = self.proj.kernel_size[0]
        side = images.shape[-1] // patch
        patches = images.view(-1, 3, side, patch, side, patch).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


class LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, run: Execution) -> Tensor:
        batch, length, width = x.shape
        qkv = F.linear(x, self.qkv.weight, self.qkv.bias).view(batch, length, 3, self.heads, width // self.heads)
        attended = run.attend_float32(qkv)
        return F.linear(attended, self.proj.weight, self.proj.bias)


class Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.attn = Attention(config.width, config.heads)
        self.ls1 = LayerScale(config.width)
        self.norm2 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.mlp = Mlp(config.width, config.mlp_width)
        self.ls2 = LayerScale(config.width)

    def forward(self, stream: Tensor, branch: Tensor | None, run: Execution, folded: bool) -> tuple[Tensor, Tensor]:
        stream, x = run.add_norm(stream, () if branch is None else (branch,), self.norm1, torch.float32)
        branch = self.attn(x, run)
        branch = branch if folded else branch * self.ls1.gamma
        stream, x = run.add_norm(stream, (branch,), self.norm2, torch.float32)
        branch = self.mlp(x)
        return stream, branch if folded else branch * self.ls2.gamma


class VisionTransformer(nn.Module):
    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.grid**2, config.width))
        self.patch_embed = PatchEmbedding(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self._resampled: Tensor | None = None
        self._folded = False

    def prepare_for_inference(self) -> None:
        """Does once what depends on the weights alone: resamples the position table, and multiplies the layer scales
        into the products before them. The weights are not those of the checkpoint any more."""
        if self._folded:
            return
        with torch.no_grad():
            self._resampled = resample_image_table(self.pos_embed)
            for block in self.blocks:
                for product, scale in ((block.attn.proj, block.ls1), (block.mlp.fc2, block.ls2)):
                    product.weight.mul_(scale.gamma[:, None])
                    product.bias.mul_(scale.gamma)
        self._folded = True

    def _apply(self, function, recurse=True):
        """Takes the resampled table along when the module moves to another device."""
        super()._apply(function, recurse)
        if self._resampled is not None:
            self._resampled = function(self._resampled)
        return self

    def forward(self, images: Tensor, run: Execution) -> Tensor:
        """images (B, 3, S, S) normalised -> patch tokens (B, P, d)."""
        table = resample_image_table(self.pos_embed) if self._resampled is None else self._resampled
        patches = self.patch_embed(images) + table[1:]
        first = (self.cls_token + table[:1]).expand(images.shape[0], -1, -1)
        stream = torch.cat([first, patches], dim=1)
        branch = None
        flop = images.shape[0] * flop_per_block(self.config)
        for block in self.blocks:
            stream, branch = block(stream, branch, run, self._folded)
            run.pace.worked(flop)
        _, tokens = run.add_norm(stream, (branch,), self.norm, torch.float32)
        return tokens[:, 1:]


class ImageEncoder(nn.Module):
    """Holds the vision transformer under the name that checkpoints give it."""

    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.model = VisionTransformer(config)

    def forward(self, frames: Tensor, run: Execution) -> Tensor:
        """frames (B, H, W, 3), uint8 or float in [0, 1] -> patch tokens (B, P, d) float32."""
        return self.model(prepare_images(frames, self.model.config.image_size), run)
