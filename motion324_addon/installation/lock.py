"""Keeps two Blenders from changing the same environment at once; the system lets go of the lock when one is killed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import IO

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.write_aside import explained_write_errors

from .place import Place


@contextlib.contextmanager
def only_one(place: Place) -> Iterator[None]:
    """Raises Motion324Error("installation-elsewhere") where another process is in such a block of the same place."""
    path = place.log.with_suffix(".lock")
    with explained_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    with file:
        try:
            _lock(file)
        except OSError as error:
            raise Motion324Error(
                "installation-elsewhere",
                "Another Blender installs or removes this backend just now.",
                "Wait until it is done.",
                EXIT_BACKEND,
            ) from error
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
