"""What takes long to make is made once, though tests run in several processes side by side."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that make(folder) has filled, in the first of the processes that wants it; the others wait for it."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    folder.mkdir(exist_ok=True)
    with (folder.parent / f".{name}").open("w") as whole:
        fcntl.flock(whole, fcntl.LOCK_EX)
        if not any(folder.iterdir()):
            make(folder)
    return folder
