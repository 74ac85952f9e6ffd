"""Batches made ahead, by a thread on a CUDA stream of its own, while the model trains on the ones before."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import fields

import torch

from motion324.reconstructors.node_model.model import NodeInputs
from motion324.training.synthesis import TrainingBatch


class Prefetcher:
    """Calls `make` in its own thread; `next` gives the batches in order. Close it when done.

    waited: seconds that `next` has spent waiting, in all.
    """

    def __init__(self, make: Callable[[], TrainingBatch], device: torch.device, ahead: int = 2) -> None:
        self._make = make
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._ready: queue.Queue[tuple[TrainingBatch, torch.cuda.Event | None] | BaseException] = queue.Queue(ahead)
        self._closed = threading.Event()
        self.waited = 0.0
        self._thread = threading.Thread(target=self._work, name="synthesis", daemon=True)
        self._thread.start()

    def next(self) -> TrainingBatch:
        """Raises what `make` raised."""
        started = time.perf_counter()
        item = self._ready.get()
        self.waited += time.perf_counter() - started
        if isinstance(item, BaseException):
            raise item
        batch, made = item
        if made is not None:
            consumer = torch.cuda.current_stream(self._device)
            consumer.wait_event(made)
            for tensor in _tensors(batch):
                tensor.record_stream(consumer)
        return batch

    def close(self) -> None:
        self._closed.set()
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=0.1)
            except queue.Empty:
                continue

    def _work(self) -> None:
        try:
            if self._stream is not None:
                torch.cuda.set_device(self._device)
                with torch.cuda.stream(self._stream):
                    self._make_batches()
            else:
                self._make_batches()
        except BaseException as error:
            self._ready.put(error)

    def _make_batches(self) -> None:
        while not self._closed.is_set():
            batch, made = self._make(), None
            if self._stream is not None:
                made = torch.cuda.Event()
                made.record(self._stream)
                made.synchronize()  # else this thread would run ahead and hold the memory of many batches
            self._ready.put((batch, made))


def _tensors(batch: TrainingBatch) -> list[torch.Tensor]:
    inputs = [getattr(batch.inputs, field.name) for field in fields(NodeInputs)]
    return [*inputs, batch.targets, batch.node_places, batch.node_seen]
