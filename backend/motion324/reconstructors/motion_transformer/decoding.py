"""Turns motion tokens into positions: many frames and points at once, on their way to the host meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.motion_transformer.execution import Execution
from motion324.reconstructors.motion_transformer.frame_encoding import BATCH_SHARE
from motion324.reconstructors.motion_transformer.model import MotionModel, Points
from motion324.reconstructors.motion_transformer.workload import Workload

# Rows (a point in a frame) that fill a large GPU, or a CPU's caches; more would only take memory.
ROWS_AT_ONCE = {"cuda": 1 << 16, "cpu": 1 << 12}
FEWEST_ROWS_AT_ONCE = 1 << 10
# Frames that leave together: few for someone who waits, but enough that embedding points anew for them does not matter.
DECODED_AT_ONCE = {"cuda": 8, "cpu": 1}
MOST_DECODED_AT_ONCE = 64
FRAMES_FOR_NEW_FEATURES = 8
FEATURE_SHARE = 0.25  # of the free memory, for the points' features
MOST_FEATURE_BYTES_ON_CPU = 1 << 30


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
