"""Frames to patch tokens: batches travel to the GPU while the batch before them is being encoded."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.motion_transformer.device import tf32_products
from motion324.reconstructors.motion_transformer.execution import Execution
from motion324.reconstructors.motion_transformer.model import MotionModel

# Enough tokens to fill a large GPU, and on a CPU its caches; more would only take memory.
FRAMES_AT_ONCE = {"cuda": 32, "cpu": 2}
KIND = "image encoder"


class FrameEncoder:
    """Encodes frames of one video, and keeps the tokens that a later window will ask for again."""

    def __init__(self, model: MotionModel, video: np.ndarray, run: Execution, tf32: bool, device: torch.device) -> None:
        """video (T, H, W, 3) uint8, or float in [0, 1]."""
        self._model = model
        self._video = video
        self._run = run
        self._tf32 = tf32
        self._device = device
        self._kept: dict[int, Tensor] = {}
        self._upload = torch.cuda.Stream(device) if device.type == "cuda" else None

    def encode(self, frames: np.ndarray, keep: set[int]) -> Tensor:
        """frames (B,) int -> patch tokens (B, P, d) float32; those of the frames in `keep` are kept for next time."""
        config = self._model.config
        tokens = torch.empty(len(frames), config.patch_tokens, config.width, device=self._device)
        new = [place for place, frame in enumerate(frames.tolist()) if frame not in self._kept]
        for place, frame in enumerate(frames.tolist()):
            if frame in self._kept:
                tokens[place] = self._kept[frame]
        waiting: tuple[slice, Tensor] | None = None

        def compute(rows: slice) -> None:
            nonlocal waiting
            if waiting is None or waiting[0] != rows:
                waiting = (rows, self._send(frames, new[rows]))
            batch = waiting[1]
            self._meet_upload(batch)
            with tf32_products(self._tf32):
                encoded = self._model.image_encoder(batch, self._run)
            if new[rows] == list(range(new[rows.start], new[rows.start] + len(encoded))):
                tokens[new[rows.start] : new[rows.start] + len(encoded)] = encoded
            else:
                tokens[torch.tensor(new[rows], device=self._device)] = encoded
            following = slice(rows.stop, min(rows.stop + rows.stop - rows.start, len(new)))
            waiting = (following, self._send(frames, new[following])) if following.start < following.stop else None

        # The encoder counts its own work block by block, so none is counted here.
        self._run.most_rows.setdefault(KIND, FRAMES_AT_ONCE[self._device.type])
        self._run.by_rows(KIND, len(new), 0.0, compute, align=1, fewest=1)
        self._kept = {frame: tokens[place].clone() for place, frame in enumerate(frames.tolist()) if frame in keep}
        return tokens

    def _send(self, frames: np.ndarray, places: list[int]) -> Tensor:
        """The frames at these places, on the device, without waiting for what the device is doing."""
        chosen = frames[places]
        first, last = int(chosen[0]), int(chosen[-1])
        consecutive = last - first + 1 == len(chosen)
        part = self._video[first : last + 1] if consecutive else self._video[chosen]
        batch = torch.from_numpy(np.require(part, requirements=["C", "W"]))
        if self._upload is None:
            return batch
        with torch.cuda.stream(self._upload):
            return batch.to(self._device, non_blocking=True)

    def _meet_upload(self, batch: Tensor) -> None:
        if self._upload is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_stream(self._upload)
            batch.record_stream(current)
