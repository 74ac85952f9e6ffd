"""Measures exact distances to nearest neighbours, on all cores or on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from motion324.core.errors import EXIT_USAGE, Motion324Error

_TILE = 1 << 26  # distances that a GPU holds at once


def nearest_both_ways(a: np.ndarray, b: np.ndarray, device: str = "cpu") -> tuple[np.ndarray, np.ndarray]:
    """a (A, 3), b (B, 3) -> the distance from each point of a to b (A,), and of b to a (B,); float64, exact.

    device: "cpu", or one of PyTorch's such as "cuda".
    """
    return nearest(a, b, device)[0], nearest(b, a, device)[0]


def nearest(points: np.ndarray, among: np.ndarray, device: str = "cpu") -> tuple[np.ndarray, np.ndarray]:
    """points (P, 3), among (Q, 3) -> distances (P,) float64 and indices (P,) of the nearest. device: as above."""
    if device != "cpu":
        return _on_gpu(points, among, device)
    distances, indices = nearest_tree(among).query(points, workers=-1)
    return distances, indices


def nearest_tree(points: np.ndarray) -> cKDTree:
    """A tree that is quick to build: each frame needs new ones."""
    return cKDTree(points, balanced_tree=False, compact_nodes=False)


def check_neighbour_device(device: str) -> None:
    """Raises Motion324Error("device-missing") where PyTorch or the GPU is not there."""
    if device == "cpu":
        return
    try:
        import torch
    except ImportError as error:
        raise _missing(device, "PyTorch is not installed") from error
    if device.split(":")[0] != "cuda" or not torch.cuda.is_available():
        raise _missing(device, "PyTorch sees no such device")


def _missing(device: str, why: str) -> Motion324Error:
    return Motion324Error(
        "device-missing",
        f"Distances cannot be computed on '{device}': {why}.",
        "Use the CPU (--distances-on cpu), or install the extra 'cuda'.",
        EXIT_USAGE,
    )


def _on_gpu(points: np.ndarray, among: np.ndarray, device: str) -> tuple[np.ndarray, np.ndarray]:
    """All pairs in tiles; float32 finds the neighbour, without expanding the square (which cancels), float64 its
    distance."""
    import torch

    here, there = (torch.as_tensor(np.asarray(x, np.float64), device=device) for x in (points, among))
    found = _nearest_indices(here, there)
    return (here - there[found]).norm(dim=1).cpu().numpy(), found.cpu().numpy()


def _nearest_indices(points: Any, among: Any) -> Any:
    """points (P, 3), among (Q, 3): tensors on one device -> (P,) long."""
    import torch

    if points.device.type == "cuda":
        try:
            from motion324.evaluation.nearest_kernel import nearest_indices
        except ImportError:  # Triton has no wheels for every system
            pass
        else:
            return nearest_indices(points.float(), among.float())
    columns = [(points[:, axis, None].float(), among[None, :, axis].float()) for axis in range(3)]
    rows = max(1, _TILE // len(among))
    found = torch.empty(len(points), dtype=torch.long, device=points.device)
    for start in range(0, len(points), rows):
        square = torch.zeros(1, device=points.device)
        for mine, theirs in columns:
            square = square + (mine[start : start + rows] - theirs).square_()
        found[start : start + rows] = square.argmin(dim=1)
    return found
