"""Names what onnxruntime computes with: the accelerators that our networks may use, the fastest first, and the CPU.

onnxruntime itself is asked by those who have it: this room needs none.
"""

from __future__ import annotations

from collections.abc import Iterable

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_PLACES = {
    CUDA: "cuda",
    "ROCMExecutionProvider": "rocm",
    "MIGraphXExecutionProvider": "rocm",
    "DmlExecutionProvider": "directml",
    "CoreMLExecutionProvider": "coreml",
}


def accelerators(available: Iterable[str]) -> list[str]:
    """available: onnxruntime's get_available_providers() -> those of them that are faster than the CPU, best first."""
    there = set(available)
    return [name for name in _PLACES if name in there]


def best_first(available: Iterable[str]) -> list[str]:
    """What to open a network with: onnxruntime takes the next one where it cannot use the first, at last the CPU."""
    return [*accelerators(available), CPU]


def place_of(provider: str) -> str:
    """What people call the place where a provider computes: "cuda", "rocm", "directml", "coreml" or "cpu"."""
    return _PLACES.get(provider, "cpu")
