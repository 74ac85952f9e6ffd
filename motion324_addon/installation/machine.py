"""What this machine has that decides what is installed: its system, an NVIDIA GPU with its driver, room on the disk."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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
