"""Tells what this machine and this process have (memory, processors, versions), and when memory is too little, before
the work and after it failed.

Needs the standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import os
import platform
import re
import sys
import threading
from pathlib import Path

from motion324 import __version__
from motion324.core.errors import EXIT_BACKEND, Motion324Error

# What the shortest job takes on two processors: 0.66 GB are touched, and 1.5 GB of addresses are asked for, of which
# libraries end the process without a word where they cannot even load.
LEAST_MEMORY = 700e6
LEAST_ADDRESSES = 1100e6
_SMALL_STACK = 1 << 20  # bytes
_M_ARENA_MAX = -8  # of malloc.h
_TOLD = re.compile(
    r"bad[ _]alloc|failed to allocate|cannot allocate memory|not enough memory|insufficient memory|out of memory|"
    r"failed to map segment|can't start new thread|could not find/load shared object|unable to allocate|"
    r"resource temporarily unavailable|cannot create thread|pthread_create",
    re.IGNORECASE,
)


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


def slower_by_others() -> float:
    """How many times as long as on an idle machine this process's work will take, as the last minute's load makes one
    expect; 1.0 where the system tells none."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none
        return 1.0
    processors = os.cpu_count() or 1  # of the whole machine, whose load it is
    return max(1.0, (load + processors) / (1.5 * processors))


def device_name() -> str:
    """What the fit computes on, and the compact model where onnxruntime has nothing faster; for people."""
    return f"cpu ({processor_count()} x {platform.machine() or 'unknown'})"


def versions() -> dict[str, str]:
    """Of this program, of Python, and of the libraries that decide its results."""
    from importlib import metadata  # brings what reads mail and archives

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


def check_memory(share: float = 1.0) -> None:
    """Raises Motion324Error("too-little-memory") where this process may never have what the shortest job takes.

    share: of that, for work that needs less.
    """
    for allowed, least, remedy in (
        (_address_limit(), share * LEAST_ADDRESSES, "Raise that limit (ulimit -v)"),
        (total_memory(), share * LEAST_MEMORY, "Give the machine or container more"),
    ):
        if 0 < allowed < least:
            raise Motion324Error(
                "too-little-memory",
                f"This process may use {allowed / 1e6:.0f} MB of memory, and even a short video needs "
                f"{least / 1e6:.0f} MB.",
                f"{remedy}; most videos need 2 GB or more.",
                EXIT_BACKEND,
            )


def save_addresses() -> None:
    """Has a process that may not have what a job takes ask for few addresses, so that it can still say so.

    Each thread's stack takes 8 MB of them, and each one's part of C's heap 64 to 128 MB, until no thread can begin.
    """
    if not 0 < _address_limit() < LEAST_ADDRESSES:
        return
    threading.stack_size(_SMALL_STACK)
    _share_heaps(1)


def keep_few_heaps() -> None:
    """Has all threads share a few heaps of C's allocator, to be called before there are any: it makes up to eight for
    each processor otherwise, and what jobs leave in each keeps pages of it, which was 60 MB of an idle backend on two
    processors. Does nothing where the allocator has no such call."""
    if 0 < _address_limit() < LEAST_ADDRESSES:
        return
    _share_heaps(max(2, processor_count() // 4))


def _share_heaps(count: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, count)


def is_out_of_memory(exception: BaseException) -> bool:
    """Whether it, or one that led to it, is Python's and numpy's own, OpenCV's error -4, or what GPU libraries,
    onnxruntime, the system and its loader say."""
    seen: set[int] = set()
    link: BaseException | None = exception
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        if _says_so(link):
            return True
        link = link.__cause__ or link.__context__
    return False


def give_back() -> None:
    """Hands memory that was freed back to the system, which C's allocator keeps for later otherwise: of a job that took
    1 GB it may keep the most. Takes some ms; does nothing where the allocator has no such call."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).malloc_trim(0)
        elif sys.platform == "darwin":
            ctypes.CDLL(None).malloc_zone_pressure_relief(None, 0)


def _says_so(exception: BaseException) -> bool:
    if isinstance(exception, MemoryError) or type(exception).__name__ == "OutOfMemoryError":
        return True
    if isinstance(exception, OSError) and exception.errno == errno.ENOMEM:
        return True
    module = type(exception).__module__
    if module.startswith("cv2") and getattr(exception, "code", None) == -4:
        return True
    of_library = isinstance(exception, ImportError | RuntimeError | OSError) or "onnxruntime" in module
    return of_library and bool(_TOLD.search(str(exception)))


def _address_limit() -> int:
    """Bytes of addresses that this process may ask for; 0 where there is no limit."""
    if sys.platform == "win32":
        return 0
    import resource

    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min((limit for limit in limits if limit != resource.RLIM_INFINITY), default=0)
