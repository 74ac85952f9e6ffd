"""Tells what this machine and this process have: memory, processors, versions. Needs the standard library only."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from motion324 import __version__


def peak_memory() -> int:
    """The most bytes of memory that this process has held at once."""
    if sys.platform == "win32":
        return _windows_peak_memory()
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def total_memory() -> int:
    """The machine's memory in bytes, or less where this process may not use all of it (containers); 0 if unknown."""
    total = 0
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    elif sys.platform == "win32":
        total = _windows_total_memory()
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text("ascii")))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return total


def available_memory() -> int:
    """Bytes that can be taken without harm to other programs, as Linux tells; 0 where that is not known."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        (free,) = (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError):
        return 0
    return min(free, total_memory())


def processor_count() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_name() -> str:
    """What the fit computes on, and the compact model where onnxruntime has nothing faster; for people."""
    return f"cpu ({processor_count()} x {platform.machine() or 'unknown'})"


def versions() -> dict[str, str]:
    """Of this program, of Python, and of the libraries that decide its results."""
    found = {"motion324": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in ("numpy", "scipy", "numba", "opencv-python-headless", "onnxruntime", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


if sys.platform == "win32":

    class _MemoryCounters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS of psapi.h."""

        _fields_ = [
            ("size", ctypes.c_ulong),
            ("page_faults", ctypes.c_ulong),
            ("peak_working_set", ctypes.c_size_t),
            *((f"quota_{index}", ctypes.c_size_t) for index in range(7)),
        ]

    class _MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX of sysinfoapi.h."""

        _fields_ = [
            ("size", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            *((f"rest_{index}", ctypes.c_ulonglong) for index in range(6)),
        ]

    def _windows_peak_memory() -> int:
        counters = _MemoryCounters(size=ctypes.sizeof(_MemoryCounters))
        kernel = ctypes.windll.kernel32
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.K32GetProcessMemoryInfo.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong]
        kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.size)
        return int(counters.peak_working_set)

    def _windows_total_memory() -> int:
        status = _MemoryStatus(size=ctypes.sizeof(_MemoryStatus))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.total)
