"""Tells whether the process that this one works for still lives."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


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
