"""The two fixed position tables: where a patch lies in space and time, and in DINOv2's image."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from motion324.reconstructors.motion_transformer.config import IMAGE_PATCHES

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
