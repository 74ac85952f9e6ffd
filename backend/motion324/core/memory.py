"""Tells when memory is too little, before the work and after it failed: standard library only."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import re
import sys
import threading

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.machine import total_memory

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
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


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
