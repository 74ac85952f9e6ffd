"""Tells on which GPU PyTorch is to compute what needs no PyTorch: the compact model, and the fit to its answers."""

from __future__ import annotations

from motion324.core.processes.torch_gpu import torch_may_find_a_gpu


def torch_gpu(device: str) -> str | None:
    """device: as in AnimateOptions -> PyTorch's name of the GPU; None where there is none, or the CPU is wanted.

    Raises what choose_device of the motion transformer raises, for a GPU that is named.
    """
    if device == "cpu" or not torch_may_find_a_gpu():
        return None
    from motion324.reconstructors.motion_transformer.device import choose_device

    chosen = choose_device(device)
    return None if chosen.type == "cpu" else str(chosen)
