"""How long the stages of a job take, without making the device wait at their ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch


class StageTimes:
    """On a GPU the stages are timed by events in its queue, elsewhere by the clock."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._spans: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []
        self._seconds: dict[str, float] = {}
        self.current = ""

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts what is done, or handed to the GPU, within the block; a stage may be entered several times."""
        self.current = name
        if self._device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record(torch.cuda.current_stream(self._device))
            yield
            end.record(torch.cuda.current_stream(self._device))
            self._spans.append((name, start, end))
            return
        began = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began

    def seconds(self) -> dict[str, float]:
        """Waits for the stages that were handed to the GPU."""
        for name, start, end in self._spans:
            end.synchronize()
            self._seconds[name] = self._seconds.get(name, 0.0) + start.elapsed_time(end) / 1000.0
        self._spans.clear()
        return dict(self._seconds)
