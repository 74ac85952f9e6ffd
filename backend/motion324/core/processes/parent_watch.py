"""Tells whether the process that this one works for still lives, and has this one end soon after it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

ORPHAN_SECONDS = 3.0  # in which an orphan may clean up
LOOKED_EVERY = 0.2  # seconds


def parent_is_alive(parent_pid: int) -> Callable[[], bool]:
    """A function that tells, at once, whether the process `parent_pid` still lives.

    It need not be the direct parent: a launcher may stand between (as the python.exe of a Windows venv does).
    """
    if sys.platform == "win32":
        return _windows_watch(parent_pid)
    if os.getppid() == parent_pid:
        # When the parent ends, the system gives this process another one, so a reused number does not deceive.
        return lambda: os.getppid() == parent_pid
    return lambda: _exists(parent_pid)


def end_with_parent(parent_pid: int) -> None:
    """Has this process clean up, and then end, soon after its parent has: another does its work again, and both must
    not write the same files."""

    def watch() -> None:
        is_alive = parent_is_alive(parent_pid)
        while is_alive():
            time.sleep(LOOKED_EVERY)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _windows_watch(pid: int) -> Callable[[], bool]:
    import ctypes
    from ctypes import wintypes

    synchronise, timed_out = 0x0010_0000, 0x102
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel32.OpenProcess.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.DWORD]
    kernel32.OpenProcess.restype = wintypes.HANDLE
    kernel32.WaitForSingleObject.argtypes = [wintypes.HANDLE, wintypes.DWORD]
    kernel32.WaitForSingleObject.restype = wintypes.DWORD
    handle = kernel32.OpenProcess(synchronise, False, pid)  # open for good: its number cannot be given to another
    if not handle:
        return lambda: False
    return lambda: kernel32.WaitForSingleObject(handle, 0) == timed_out
