"""Removes a worker's files, once nothing writes to them any more."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from .worker import Worker

LONGEST = 60.0  # seconds for a worker to end; what is left then goes with Blender's temporary folder
LAST_SECONDS = 2.0


def remove_when_ended(worker: Worker, folder: Path | None, wait: bool = False) -> None:
    """Removes the folder on a thread of its own, since that takes long for long clips; with `wait` here and now."""
    if folder is None:
        return
    if wait:
        _remove(worker, folder, LAST_SECONDS)
        return
    arguments = (worker, folder, LONGEST)
    threading.Thread(target=_remove, args=arguments, name="motion324 removing files", daemon=True).start()


def _remove(worker: Worker, folder: Path, seconds: float) -> None:
    worker.join(seconds)
    shutil.rmtree(folder, ignore_errors=True)
