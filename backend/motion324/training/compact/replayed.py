"""Work on a GPU that is always the same, recorded once as a CUDA graph and replayed: no time goes into launching it.

PyTorch's manual, "CUDA Graphs": inputs lie in fixed places, nothing waits for the GPU, and what is recorded has run
some times before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
WARM_CALLS = 3


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
