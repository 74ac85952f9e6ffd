"""Tells whether PyTorch may find a GPU here, without importing it, which takes seconds."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

# What the drivers of GPUs that PyTorch can use leave on a machine.
DRIVERS = (
    [Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll"]
    if sys.platform == "win32"
    else [Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg")]
)


def torch_may_find_a_gpu() -> bool:
    """Whether PyTorch is installed, and a driver of NVIDIA's or AMD's."""
    return importlib.util.find_spec("torch") is not None and any(driver.exists() for driver in DRIVERS)
