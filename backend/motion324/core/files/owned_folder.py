"""Makes temporary folders that tell whether their owner still lives, so that a later process can sweep what others
left.

Beside each folder lies a file of the same name with ".lock" at its end, which its owner holds locked. The system lets
go of a lock when the process ends, however it ends, and tells a process on another machine that shares the disk, too;
the number of a process would be given to another one some day. Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

LOCK = ".lock"
UNFINISHED = ".motion324-unfinished-"  # the prefix of those beside results that are not all there yet
_ATTEMPTS = 3


class Lock:
    """A file that one living process holds. Raises BlockingIOError where another one does, OSError where there can be
    none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            _lock(self._descriptor)
            if not os.path.samestat(os.fstat(self._descriptor), path.stat()):  # whoever held it has just removed it
                raise BlockingIOError(errno.EWOULDBLOCK, "it is held by another process")
        except OSError:
            os.close(self._descriptor)
            raise

    def write(self, text: str) -> None:
        """Replaces what the file says, for whoever finds it locked. Raises OSError."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, text.encode())

    def release(self) -> None:
        """Lets go of it, and removes its file. To be called once."""
        if sys.platform == "win32":  # where an open file cannot be removed
            os.close(self._descriptor)
            self._unlink()
        else:
            self._unlink()
            os.close(self._descriptor)

    def _unlink(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


class OwnedFolder:
    """A fresh folder in `parent`, readable by this user only, that is this process's until `remove`. Its name begins
    with `prefix`. Raises OSError.

    Where the disk knows no locks, nothing lies beside it, and nobody ever sweeps it.
    """

    def __init__(self, prefix: str, parent: Path) -> None:
        self._lock: Lock | None = None
        for _ in range(_ATTEMPTS):
            self.path = parent / f"{prefix}{secrets.token_hex(4)}"
            beside = self.path.with_name(self.path.name + LOCK)
            try:
                self._lock = Lock(beside)
                break
            except BlockingIOError:  # somebody who sweeps has it just now
                continue
            except OSError:
                with contextlib.suppress(OSError):
                    beside.unlink(missing_ok=True)
                break
        try:
            self.path.mkdir(mode=0o700)
        except BaseException:
            self._release()
            raise

    def remove(self) -> None:
        """Takes the folder away, and all that is in it. May be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def remove_abandoned(prefix: str, parent: Path) -> list[Path]:
    """Takes away this user's folders in `parent` with that prefix whose owner has ended; returns which those were."""
    try:
        locks = [path for path in parent.iterdir() if path.name.startswith(prefix) and path.name.endswith(LOCK)]
    except OSError:
        return []
    folders = (path.with_name(path.name.removesuffix(LOCK)) for path in locks)
    return [folder for folder in folders if remove_if_abandoned(folder)]


def remove_if_abandoned(folder: Path) -> bool:
    """Takes an OwnedFolder away if it is this user's and its owner has ended; returns whether it did."""
    path = folder.with_name(folder.name + LOCK)
    try:
        if not (_is_own(path, stat.S_ISREG) and (_is_own(folder, stat.S_ISDIR) or not folder.exists())):
            return False
        lock = Lock(path)
    except OSError:  # held by its owner, or gone meanwhile
        return False
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()
    return True


def _is_own(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return kind(found.st_mode) and (not hasattr(os, "getuid") or found.st_uid == os.getuid())


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # a byte behind all that is written, since a locked one cannot be read by others

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(errno.EWOULDBLOCK, "it is held by another process") from error

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
