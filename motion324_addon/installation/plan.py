"""Tells what this machine has, what will be installed on it, how large that is, and why."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error

from ..runner_base.state import readable_size

LOOK_SECONDS = 15.0  # a driver that has slept takes seconds to answer


@dataclass(frozen=True)
class Gpu:
    """name: as its driver calls it. driver: the driver's version. memory: in bytes; 0 if not known."""

    name: str
    driver: str
    memory: int = 0

    @property
    def driver_series(self) -> int:
        """The number that decides which CUDA the driver can run; 0 if not known."""
        first = self.driver.partition(".")[0]
        return int(first) if first.isdecimal() else 0


@dataclass(frozen=True)
class Machine:
    """system: "linux", "windows" or "macos". architecture: "x64" or "arm64". gpu: the first NVIDIA GPU, or None.

    free_bytes: on the disk of the extension's user folder.
    """

    system: str
    architecture: str
    gpu: Gpu | None
    free_bytes: int


def look(folder: Path) -> Machine:
    """Looks at the machine, and at the disk on which `folder` lies or would lie. Asks the driver: takes a second."""
    system = {"linux": "linux", "win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    known = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}
    name = platform.machine().lower()
    return Machine(system, known.get(name, name), _nvidia_gpu(), free_bytes(folder))


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder that need not exist yet."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(existing).free


def _nvidia_gpu() -> Gpu | None:
    """Asks nvidia-smi, which comes with the driver; None without driver or GPU."""
    program = shutil.which("nvidia-smi") or _usual_place_of_nvidia_smi()
    if program is None:
        return None
    command = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=LOOK_SECONDS,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    if done.returncode != 0 or not lines:
        return None
    return _parse_gpu(lines[0])


def _parse_gpu(line: str) -> Gpu | None:
    """From "NVIDIA H200, 570.86.15, 143771": name, driver, memory in MiB, which some GPUs do not tell."""
    fields = [field.strip() for field in line.rsplit(",", 2)]
    if len(fields) != 3 or not fields[1][:1].isdecimal():
        return None
    name, driver, memory = fields
    return Gpu(name, driver, int(memory) << 20 if memory.isdecimal() else 0)


def _usual_place_of_nvidia_smi() -> str | None:
    """On Windows it lies beside the system's programs, wherever PATH leads."""
    if sys.platform != "win32":
        return None
    path = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvidia-smi.exe"
    return str(path) if path.exists() else None


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
    ("linux", ""): (230 * MB, 700 * MB),
    ("windows", ""): (180 * MB, 580 * MB),
    ("macos", ""): (180 * MB, 590 * MB),
    ("linux", "cuda"): (3220 * MB, 6240 * MB),
    ("windows", "cuda"): (3010 * MB, 6030 * MB),
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
    what = "numpy, scipy, numba, OpenCV, PyAV and onnxruntime"
    if plan.extras:
        what += ", and PyTorch with CUDA"
    return (
        f"Motion324's engine and its libraries ({what}) are downloaded from the Python package index: about "
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
