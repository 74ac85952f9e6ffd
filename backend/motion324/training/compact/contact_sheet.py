"""Pictures of batches, to look at what a model is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.node_model.geometry import project
from motion324.training.compact.batches import TrainingBatch


def contact_sheet(batch: TrainingBatch, clips: int, frames: int) -> np.ndarray:
    """(clips * S, 2 * frames * S, 3) uint8: cut-outs; the same with nodes drawn, green where seen, red where hidden."""
    shown = batch.inputs.frames[:clips, :: max(1, batch.targets.shape[1] // frames)][:, :frames]
    places = batch.node_places[:clips, :: max(1, batch.targets.shape[1] // frames)][:, :frames]
    seen = batch.node_seen[:clips, :: max(1, batch.targets.shape[1] // frames)][:, :frames]
    plain = shown[:, :, :3].permute(0, 1, 3, 4, 2).cpu().numpy()
    drawn = 0.4 * plain + 0.3 * shown[:, :, 3, ..., None].cpu().numpy()
    believed = project(
        batch.inputs.nodes[:clips, None, :, :3] + batch.inputs.translation[:clips, None, None],
        batch.inputs.camera[:clips],
    )
    _draw(drawn[:, :1], believed, torch.ones_like(seen[:, :1]), (0.3, 0.3, 1.0))
    _draw(drawn, places, seen, (0.0, 1.0, 0.0))
    _draw(drawn, places, ~seen, (1.0, 0.0, 0.0))
    side = np.concatenate([plain, drawn], axis=1)
    return (np.concatenate([np.concatenate(list(row), axis=1) for row in side]).clip(0, 1) * 255).astype(np.uint8)


def _draw(pictures: np.ndarray, places: Tensor, which: Tensor, colour: tuple[float, float, float]) -> None:
    size = pictures.shape[-2]
    pixel = ((places.cpu().numpy() + 1) / 2 * size).astype(int)
    for clip, frame, node in np.argwhere(which.cpu().numpy()):
        x, y = pixel[clip, frame, node]
        if 0 <= x < size and 0 <= y < size:
            pictures[clip, frame, y, x] = colour


def write_contact_sheet(path: Path, batch: TrainingBatch, clips: int = 8, frames: int = 4) -> None:
    """As a .png, by the imaging library that is there."""
    from PIL import Image

    Image.fromarray(contact_sheet(batch, clips, frames)).save(path)
