"""Has functions of many small steps done in few passes over a GPU's memory: compiled, at their first call there.

Making clips moves gigabytes for every addition of two maps; compiled, a whole function reads and writes each only once.
On a CPU the functions are called as they are written, and give the same to the last digits of a float.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch

Work = TypeVar("Work", bound=Callable[..., Any])


def fused(work: Work) -> Work:
    """work: of tensors and dataclasses of tensors; it draws no random numbers, and the sizes of what it makes follow
    from the sizes of what it is given."""
    compiled: Callable[..., Any] | None = None

    @functools.wraps(work)
    def call(*inputs: Any) -> Any:
        nonlocal compiled
        if not any(_is_on_gpu(value) for value in inputs):
            return work(*inputs)
        if compiled is None:
            compiled = torch.compile(work, dynamic=True)  # no two batches have as many vertices
        return compiled(*inputs)

    return call  # type: ignore[return-value]


def _is_on_gpu(value: Any) -> bool:
    if is_dataclass(value):
        return any(_is_on_gpu(getattr(value, field.name)) for field in fields(value))
    return isinstance(value, torch.Tensor) and value.is_cuda
