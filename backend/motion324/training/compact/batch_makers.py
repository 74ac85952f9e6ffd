"""Batches made ahead by processes of their own, on the same device as the training, which then need not share Python's
lock with it. They come through pipes, and their pictures in 8 bits, as a video has them.
"""

from __future__ import annotations

import pickle
import random
import traceback
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np
import torch

from motion324.training.compact.batches import TrainingBatch
from motion324.training.shared.prefetch import Prefetcher

PATIENCE = 300.0  # seconds for a batch, of which the first one takes longest


class BatchMakers:
    """`next` gives batches on the device. Close it when done. waited, repeats: as Prefetcher has them.

    prepare: makes, in each process and given its number, what makes batches. It and what it holds must be picklable.
    """

    def __init__(
        self,
        prepare: Callable[[int], Callable[[], TrainingBatch]],
        count: int,
        device: torch.device,
        kept: int = 0,
        most_repeats: int = 1,
    ) -> None:
        context = get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(count):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_make, args=(prepare, number, device, theirs), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        self._device = device
        self._prefetcher = Prefetcher(self._received, device, kept=kept, most_repeats=most_repeats)

    @property
    def waited(self) -> float:
        return self._prefetcher.waited

    @property
    def repeats(self) -> int:
        return self._prefetcher.repeats

    def next(self) -> TrainingBatch:
        """Raises RuntimeError where a process has failed."""
        return self._prefetcher.next()

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        self._prefetcher.close()
        for process in self._processes:
            process.join()

    def _received(self) -> TrainingBatch:
        ready = wait(self._pipes, PATIENCE)
        if not ready:
            raise RuntimeError(f"No process has made a batch in {PATIENCE:.0f} seconds.")
        pipe = random.choice(ready)
        try:
            packed = pipe.recv_bytes()  # type: ignore[union-attr]
        except EOFError as error:
            raise RuntimeError("A process that makes batches has ended.") from error
        return unpacked(packed, self._device)


def packed(batch: TrainingBatch) -> bytes:
    """The batch in bytes, its pictures rounded to 8 bits."""
    frames = (batch.inputs.frames * 255).round().to(torch.uint8)
    batch = replace(batch, inputs=replace(batch.inputs, frames=frames))
    return pickle.dumps(_mapped(batch, lambda tensor: tensor.cpu().numpy()), protocol=5)


def unpacked(data: bytes, device: torch.device) -> TrainingBatch:
    batch: TrainingBatch = _mapped(pickle.loads(data), lambda array: torch.from_numpy(array.copy()).to(device))
    return replace(batch, inputs=replace(batch.inputs, frames=batch.inputs.frames.float() / 255))


def _make(prepare: Callable[[int], Callable[[], Any]], number: int, device: torch.device, pipe: Connection) -> None:
    try:
        torch.set_num_threads(1)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        make = prepare(number)
        while True:
            pipe.send_bytes(packed(make()))
    except (BrokenPipeError, KeyboardInterrupt):
        return
    except BaseException:
        traceback.print_exc()
        raise


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, torch.Tensor | np.ndarray):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _mapped(getattr(value, field.name), change) for field in fields(value)})
    return value
