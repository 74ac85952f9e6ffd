"""Keeps the GPU at work: batches are made ahead while the model trains, and work that is always the same is recorded.

Batches come from a thread on a CUDA stream of its own; where training is faster than the making of its clips, it can
meet earlier ones again instead of waiting. What is recorded once as a CUDA graph is replayed, so that no time goes into
launching it; PyTorch's manual, "CUDA Graphs": inputs lie in fixed places, nothing waits for the GPU, and what is
recorded has run some times before.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

Batch = TypeVar("Batch")
T = TypeVar("T")
WARM_CALLS = 3


class Prefetcher(Generic[Batch]):
    """Calls `make` in its own thread, or several of them in one each; `next` gives the batches as they become ready.
    Close it when done.

    Several threads, since what makes a batch is thousands of small steps, each of which waits for its turn beside the
    training's large ones.

    A batch is a dataclass whose tensors lie in its fields, or in those of dataclasses in it.
    kept: so many earlier batches are given again, in random order, while no new one is ready; at most most_repeats of
    them between two new ones. again: so many come between two new ones even where one is ready. waited: seconds that
    `next` has spent waiting, in all. repeats: of the given batches.
    """

    def __init__(
        self,
        make: Callable[[], Batch] | Sequence[Callable[[], Batch]],
        device: torch.device,
        ahead: int = 2,
        kept: int = 0,
        most_repeats: int = 3,
        again: int = 0,
    ) -> None:
        self._device = device
        self._ready: queue.Queue[tuple[Batch, torch.cuda.Event | None] | BaseException] = queue.Queue(ahead)
        self._closed = threading.Event()
        self.waited = 0.0
        self.repeats = 0
        self._kept: deque[Batch] = deque(maxlen=kept)
        self._most_repeats = max(most_repeats, again)
        self._again = again
        self._repeated = 0
        self._which = random.Random(0)
        makers = [make] if callable(make) else make
        self._threads = [
            threading.Thread(target=self._work, args=(one,), name="synthesis", daemon=True) for one in makers
        ]
        for thread in self._threads:
            thread.start()

    def next(self) -> Batch:
        """Raises what `make` raised."""
        may_wait = self._ready.empty() and self._repeated < self._most_repeats
        if (may_wait or self._repeated < self._again) and len(self._kept) == self._kept.maxlen != 0:
            self._repeated += 1
            self.repeats += 1
            return self._kept[self._which.randrange(len(self._kept))]
        self._repeated = 0
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
        self._kept.append(batch)
        return batch

    def close(self) -> None:
        self._closed.set()
        while any(thread.is_alive() for thread in self._threads):
            try:
                self._ready.get(timeout=0.1)
            except queue.Empty:
                continue

    def _work(self, make: Callable[[], Batch]) -> None:
        try:
            if self._device.type == "cuda":
                torch.cuda.set_device(self._device)
                # Of high priority: many small kernels, which else would wait for the training's large ones.
                stream = torch.cuda.Stream(self._device, priority=-1)
                with torch.cuda.stream(stream):
                    self._make_batches(make, stream)
            else:
                self._make_batches(make, None)
        except BaseException as error:
            self._ready.put(error)

    def _make_batches(self, make: Callable[[], Batch], stream: torch.cuda.Stream | None) -> None:
        while not self._closed.is_set():
            batch, made = make(), None
            if stream is not None:
                made = torch.cuda.Event()
                made.record(stream)
                made.synchronize()  # else this thread would run ahead and hold the memory of many batches
            self._ready.put((batch, made))


def _tensors(batch: Any) -> list[torch.Tensor]:
    if isinstance(batch, torch.Tensor):
        return [batch]
    if not is_dataclass(batch):
        return []
    return [tensor for field in fields(batch) for tensor in _tensors(getattr(batch, field.name))]


class Replayed:
    """Calls `work`, from the fourth call on by replaying. On a CPU, or where it is not to be recorded, it always calls.

    work: takes what `example` is like (a dataclass of tensors and dataclasses), in memory of this object's own, and
    returns tensors, which the next call overwrites. Other threads may use the GPU, but not during the fourth call.
    """

    def __init__(self, work: Callable[[T], Any], example: T, device: torch.device, recorded: bool = True) -> None:
        self._work = work
        self._inputs = _mapped(example, torch.clone)
        self._device = device
        self._never = not recorded or device.type != "cuda"
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Any = None

    @property
    def is_recorded(self) -> bool:
        return self._graph is not None

    def __call__(self, inputs: T) -> Any:
        _copy(inputs, self._inputs)
        if self._never:
            return self._work(self._inputs)
        if self._graph is not None:
            self._graph.replay()
        elif self._calls < WARM_CALLS:
            self._calls += 1
            side = torch.cuda.Stream(self._device)
            side.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(side):
                self._result = self._work(self._inputs)
            torch.cuda.current_stream(self._device).wait_stream(side)
        else:
            torch.cuda.synchronize(self._device)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._result = self._work(self._inputs)
            self._graph = graph
            graph.replay()
        return self._result


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _mapped(getattr(value, field.name), change) for field in fields(value)})
    return value


def _copy(source: Any, target: Any) -> None:
    if isinstance(source, Tensor):
        target.copy_(source)
    elif is_dataclass(source):
        for field in fields(source):
            _copy(getattr(source, field.name), getattr(target, field.name))
