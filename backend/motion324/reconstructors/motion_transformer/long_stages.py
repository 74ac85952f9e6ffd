"""Carries out the two long stages of a prediction, frames to patch tokens and motion tokens to positions, whose copies
travel while the GPU computes.

Batches of frames travel to the GPU while the batch before them is being encoded; many frames and points at once are
decoded, and are on their way to the host meanwhile.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.motion_transformer.device import Workload, tf32_products
from motion324.reconstructors.motion_transformer.execution import Execution
from motion324.reconstructors.motion_transformer.model import MotionModel, Points

# Enough that a large GPU works longer on a batch than it takes to launch; and on a CPU, enough for its caches.
ENCODED_AT_ONCE = {"cuda": 64, "cpu": 2}
# The first batch of a window is smaller, since the device waits for it.
FIRST_FRAMES = {"cuda": 32, "cpu": 2}
BATCH_SHARE = 0.5  # of the free memory, for a batch
KIND = "image encoder"
# Rows (a point in a frame) that fill a large GPU, or a CPU's caches; more would only take memory.
ROWS_AT_ONCE = {"cuda": 1 << 16, "cpu": 1 << 12}
FEWEST_ROWS_AT_ONCE = 1 << 10
# Frames that leave together: few for someone who waits, but enough that embedding points anew for them does not matter.
DECODED_AT_ONCE = {"cuda": 8, "cpu": 1}
MOST_DECODED_AT_ONCE = 64
FRAMES_FOR_NEW_FEATURES = 8
FEATURE_SHARE = 0.25  # of the free memory, for the points' features
MOST_FEATURE_BYTES_ON_CPU = 1 << 30


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


class PointDecoder:
    """Decodes the same points for any frames. What depends on the points alone is computed once, where it fits."""

    def __init__(self, model: MotionModel, points: Points, run: Execution, free: int | None) -> None:
        """free: bytes that may be used, or None where there is no need to count."""
        self._model = model
        self._points = points
        self._run = run
        dtype = model.decoder_cross_attn.dtype
        workload = Workload(model.config)
        device = points.positions.device.type
        rows = ROWS_AT_ONCE[device]
        while (
            free is not None
            and rows > FEWEST_ROWS_AT_ONCE
            and rows * workload.decoder_bytes(dtype.itemsize) > (free * BATCH_SHARE)
        ):
            rows //= 2
        count = len(points)
        self.frames_at_once = int(np.clip(rows // count, DECODED_AT_ONCE[device], MOST_DECODED_AT_ONCE))
        self._run.most_rows["decoder"] = max(1, rows // self.frames_at_once)
        self._run.most_rows["points' queries"] = self._run.most_rows["points"] = rows
        self._resident: tuple[Tensor, Tensor] | None = None
        feature_bytes = count * model.config.width * (4 + dtype.itemsize)
        if feature_bytes <= (MOST_FEATURE_BYTES_ON_CPU if free is None else free * FEATURE_SHARE):
            self._resident = self._embed(points)
        else:
            self.frames_at_once = max(self.frames_at_once, FRAMES_FOR_NEW_FEATURES)

    def decode(self, keys: Tensor, values: Tensor) -> Tensor:
        """keys, values (B, K, H, e) of some frames' motion tokens -> positions (B, N, 3) float32 on the device."""
        positions = torch.empty(keys.shape[0], len(self._points), 3, device=keys.device)

        def compute(rows: slice) -> None:
            if self._resident is None:
                features, queries = self._embed(self._points[rows])
            else:
                features, queries = self._resident[0][rows], self._resident[1][rows]
            positions[:, rows] = self._model.decode(features, queries, keys, values, self._run)

        # The decoder counts its own work, so none is counted here.
        self._run.by_rows("decoder", len(self._points), 0.0, compute, align=128, fewest=128)
        return positions

    def _embed(self, points: Points) -> tuple[Tensor, Tensor]:
        """-> features (N, d) float32, queries (N, H, e)."""
        model, config = self._model, self._model.config
        block = model.decoder_cross_attn
        features = model.embed_points(points, self._run)
        shape = (len(points), config.heads, config.head_width)
        queries = torch.empty(shape, dtype=block.dtype, device=features.device)

        def compute(rows: slice) -> None:
            queries[rows] = block.queries(features[None, rows], self._run)[0]

        # The block counts its own work; here it is cut only for the memory that its normalised copy takes.
        self._run.by_rows("points' queries", len(points), 0.0, compute)
        return features, queries


def to_host(batches: Iterator[tuple[np.ndarray, Tensor]], run: Execution) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Copies batches from the device to the host, one batch behind, so that the device never waits for the host.

    The arrays that are yielded belong to the receiver.
    """
    waiting: tuple[np.ndarray, Tensor, torch.cuda.Event | None] | None = None
    for indices, positions in batches:
        if positions.device.type != "cuda":
            yield indices, positions.numpy()
            continue
        copy = torch.empty(positions.shape, dtype=positions.dtype, pin_memory=True)
        copy.copy_(positions, non_blocking=True)
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(positions.device))
        if waiting is not None:
            yield _collect(waiting, run)
        waiting = (indices, copy, event)
    if waiting is not None:
        yield _collect(waiting, run)


def _collect(
    waiting: tuple[np.ndarray, Tensor, torch.cuda.Event | None], run: Execution
) -> tuple[np.ndarray, np.ndarray]:
    indices, copy, event = waiting
    run.pace.wait_for(event)
    return indices, copy.numpy().copy()
