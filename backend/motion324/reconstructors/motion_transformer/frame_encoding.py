"""Turns frames into patch tokens: batches travel to the GPU while the batch before them is being encoded."""

from __future__ import annotations

import itertools
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.motion_transformer.device import tf32_products
from motion324.reconstructors.motion_transformer.execution import Execution
from motion324.reconstructors.motion_transformer.model import MotionModel
from motion324.reconstructors.motion_transformer.workload import Workload

# Enough that a large GPU works longer on a batch than it takes to launch; and on a CPU, enough for its caches.
ENCODED_AT_ONCE = {"cuda": 64, "cpu": 2}
# The first batch of a window is smaller, since the device waits for it.
FIRST_FRAMES = {"cuda": 32, "cpu": 2}
BATCH_SHARE = 0.5  # of the free memory, for a batch
KIND = "image encoder"


class FrameEncoder:
    """Encodes frames of one video, and keeps the tokens that a later window will ask for again.

    A thread of its own prepares the next batch in page-locked memory, from where the device fetches it by itself:
    a copy from ordinary memory would keep all threads from handing work to the device.
    """

    def __init__(
        self, model: MotionModel, video: np.ndarray, run: Execution, device: torch.device, free: int | None
    ) -> None:
        """video (T, H, W, 3) uint8, or float in [0, 1]. free: bytes that may be used; None: no need to count."""
        self._model = model
        self._video = video
        self._run = run
        self._device = device
        self._kept: dict[int, Tensor] = {}
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="motion324-frames")
        self._sent: dict[bytes, Future[Tensor]] = {}
        most = ENCODED_AT_ONCE[device.type]
        if free is not None:
            per_frame = Workload(model.config).image_bytes(*video.shape[1:3])
            most = min(most, max(1, int(free * BATCH_SHARE / per_frame)))
        run.most_rows[KIND] = most

    def close(self) -> None:
        self._sender.shutdown(wait=True, cancel_futures=True)
        self._sent.clear()

    def send(self, frames: np.ndarray) -> Future[Tensor]:
        """Starts to copy the batch of `frames` that will be encoded next, or returns the copy that is under way."""
        key = frames.tobytes()
        if key not in self._sent:
            self._sent = {key: self._sender.submit(self._to_device, frames)}
        return self._sent[key]

    def encode(self, frames: np.ndarray, keep: set[int]) -> Tensor:
        """frames (B,) int -> patch tokens (B, P, d) float32; those of the frames in `keep` are kept for next time."""
        config = self._model.config
        tokens = torch.empty(len(frames), config.patch_tokens, config.width, device=self._device)
        known = np.isin(frames, list(self._kept))
        for place in np.flatnonzero(known):
            tokens[place] = self._kept[int(frames[place])]
        batches = self._batches(np.flatnonzero(~known))
        while batches:
            places = batches.pop(0)
            batch = self.send(frames[places]).result()
            if batches:
                self.send(frames[batches[0]])
            try:
                encoded = self._encode(batch)
            except torch.OutOfMemoryError:
                if len(places) == 1:
                    raise
                self._run.make_room(KIND, len(places) // 2)
                batches = self._batches(np.concatenate([places, *batches]))
                continue
            if places[-1] - places[0] + 1 == len(places):
                tokens[places[0] : places[-1] + 1] = encoded
            else:
                tokens[torch.from_numpy(places).to(self._device)] = encoded
        self._kept = {int(frame): tokens[place].clone() for place, frame in enumerate(frames) if int(frame) in keep}
        return tokens

    def prefetch(self, frames: np.ndarray) -> None:
        """Starts to copy the first batch that `encode` of these frames will need."""
        self.send(frames[self._batches(np.arange(len(frames)))[0]])

    def _batches(self, places: np.ndarray) -> list[np.ndarray]:
        """A first batch, then as many places at once as the memory has allowed so far."""
        most = self._run.most_rows[KIND]
        first = min(FIRST_FRAMES[self._device.type], most)
        edges = [0, *range(first, len(places), most), len(places)]
        return [places[start:stop] for start, stop in itertools.pairwise(edges) if stop > start]

    def _encode(self, batch: Tensor) -> Tensor:
        if self._stream is not None:
            batch.record_stream(torch.cuda.current_stream(self._device))
        with tf32_products(self._run.tf32):
            return self._model.image_encoder(batch, self._run)

    def _to_device(self, frames: np.ndarray) -> Tensor:
        """Runs in the sender's thread, and returns when the batch is on the device."""
        first, last = int(frames[0]), int(frames[-1])
        part = self._video[first : last + 1] if last - first + 1 == len(frames) else self._video[frames]
        if self._stream is None:
            return torch.from_numpy(np.require(part, requirements=["C", "W"]))
        staged = torch.empty(part.shape, dtype=_torch_type(part.dtype), pin_memory=True)
        np.copyto(staged.numpy(), part)
        with torch.cuda.stream(self._stream):
            batch = staged.to(self._device, non_blocking=True)
        self._stream.synchronize()
        return batch


def _torch_type(dtype: np.dtype) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype)).dtype
