"""Has a writer that ends the process where it meets a full disk write into memory first."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from motion324.core.processes.machine import available_memory

SHARE = 0.25  # of the memory that is available: larger files are written to the disk at once


@contextlib.contextmanager
def in_memory_first(path: Path, size: int) -> Iterator[Path]:
    """Gives the name of a file in memory, which is copied to `path` when the block ends well.

    size: about as many bytes as will be written. Where the system has no such files (only Linux has them), or where
    these would take too much of the memory, it gives `path` itself. Raises OSError, such as of a full disk.
    """
    if not hasattr(os, "memfd_create") or size > SHARE * available_memory():
        yield path
        return
    handle = os.memfd_create(path.name)
    try:
        yield Path(f"/proc/self/fd/{handle}")
        with os.fdopen(os.dup(handle), "rb") as written, path.open("wb") as file:
            written.seek(0)
            shutil.copyfileobj(written, file, 1 << 20)
    finally:
        os.close(handle)
