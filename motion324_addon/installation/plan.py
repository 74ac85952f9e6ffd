"""What will be installed on this machine, how large that is, and why: decided from data alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error

from .machine import Machine

AUTO, CPU, CUDA = "AUTO", "CPU", "CUDA"

# The NVIDIA drivers that can run CUDA 13, which PyTorch is built for from 2.11 on, and CUDA 12 before that.
# Source: NVIDIA's CUDA toolkit release notes, "minimum required driver version".
DRIVER_FOR_CUDA_13 = 580
DRIVER_FOR_CUDA_12 = 525
LAST_TORCH_FOR_CUDA_12 = "torch<2.11"

MB = 1_000_000
# (system, extras): bytes to download, added up over the wheels that pip chose for Python 3.11; on the disk, with ours.
# Those of CUDA on Windows are a guess by those on Linux, since they depend on the extra package index.
SIZES = {
    ("linux", ""): (210 * MB, 690 * MB),
    ("windows", ""): (170 * MB, 550 * MB),
    ("macos", ""): (170 * MB, 580 * MB),
    ("linux", "cuda"): (3200 * MB, 6200 * MB),
    ("windows", "cuda"): (3000 * MB, 6000 * MB),
}


@dataclass(frozen=True)
class Wishes:
    """What the user chose in the preferences. computation: AUTO, CPU or CUDA.

    extra_index: the address of a further package index, or "". It may hold a password: never logged.
    """

    computation: str = AUTO
    extra_index: str = ""


@dataclass(frozen=True)
class Plan:
    """extras: of the motion324 wheel, "" or "cuda". constraints: further requirements for pip.

    download_bytes, disk_bytes: about. note: what the user should know, or "".
    """

    extras: str
    constraints: tuple[str, ...]
    download_bytes: int
    disk_bytes: int
    note: str = ""


def make_plan(machine: Machine, wishes: Wishes) -> Plan:
    """The motion transformer is worth its gigabytes only where PyTorch can use the GPU."""
    extras, constraints, note = _choose(machine, wishes)
    download, disk = sizes(machine.system, extras)
    return Plan(extras, constraints, download, disk, note)


def sizes(system: str, extras: str) -> tuple[int, int]:
    """Bytes to download and on the disk, about."""
    return SIZES.get((system, extras)) or SIZES[("linux", extras)]


def sentences(plan: Plan, folder: str) -> tuple[str, str]:
    """What the first run explains: what is downloaded and how large it is; where to."""
    what = "numpy, scipy, numba, OpenCV and onnxruntime"
    if plan.extras:
        what += ", and PyTorch with CUDA"
    return (
        f"Motion324's backend and its libraries ({what}) are downloaded from the Python package index: about "
        f"{readable_size(plan.download_bytes)}, {readable_size(plan.disk_bytes)} when installed.",
        f"They go into {folder}, apart from Blender's own Python, and can be removed at any time.",
    )


def check_room(plan: Plan, machine: Machine, folder: Path, have: int = 0) -> None:
    """Raises Motion324Error("disk-full") where the disk is too small; have: bytes that were downloaded before."""
    needed = plan.download_bytes + plan.disk_bytes - have
    if machine.free_bytes >= needed:
        return
    raise Motion324Error(
        "disk-full",
        f"The disk of '{folder}' has {readable_size(machine.free_bytes)} left, and the backend needs about "
        f"{readable_size(needed)} while it is installed.",
        "Free some space, then install again.",
        EXIT_CANNOT_WRITE,
    )


def readable_size(count: int) -> str:
    """Bytes as people read them: "690 MB", "3.2 GB"."""
    if count >= 1000 * MB:
        return f"{count / (1000 * MB):.1f} GB"
    return f"{count / MB:.0f} MB"


def _choose(machine: Machine, wishes: Wishes) -> tuple[str, tuple[str, ...], str]:
    """extras, constraints, note."""
    gpu = machine.gpu
    if wishes.computation == CPU or machine.system == "macos":
        note = "There is no CUDA on macOS." if wishes.computation == CUDA else ""
        return "", (), note
    if gpu is None:
        if wishes.computation == AUTO:
            return "", (), ""
        return "cuda", (), "No NVIDIA driver answers on this machine; until one does, the CPU computes."
    if machine.system == "windows" and not wishes.extra_index:
        note = (
            f"{gpu.name} was found, but on Windows the Python package index has PyTorch for the CPU only: give "
            "PyTorch's own package index as extra package index to use the GPU."
        )
        return ("cuda" if wishes.computation == CUDA else ""), (), note
    series = gpu.driver_series
    if series >= DRIVER_FOR_CUDA_13:
        return "cuda", (), f"{gpu.name} was found."
    if series >= DRIVER_FOR_CUDA_12:
        note = f"{gpu.name} was found; its driver {gpu.driver} can run PyTorch up to 2.10."
        return "cuda", (LAST_TORCH_FOR_CUDA_12,), note
    note = f"The driver {gpu.driver} of {gpu.name} is too old for PyTorch: update it to use the GPU."
    return ("cuda" if wishes.computation == CUDA else ""), (), note
