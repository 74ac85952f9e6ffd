"""Knows the files of the backend's installation: the folders, the wheels that it is made from, and the lock on it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from motion324 import __version__
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.write_aside import explained_write_errors


@dataclass(frozen=True)
class Place:
    """folder: the extension's own for user files. The names below it are short, since paths on Windows are limited."""

    folder: Path

    @property
    def environment(self) -> Path:
        """The virtual environment."""
        return self.folder / "backend"

    @property
    def python(self) -> Path:
        """The environment's Python."""
        if sys.platform == "win32":
            return self.environment / "Scripts" / "python.exe"
        return self.environment / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """Says what is installed; written last."""
        return self.environment / "motion324.json"

    @property
    def downloads(self) -> Path:
        """Wheels that were fetched, kept until they are installed."""
        return self.folder / "downloads"

    @property
    def log(self) -> Path:
        """Everything that the installation's programs printed."""
        return self.folder / "logs" / "installation.log"


EXTENSION = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Bundle:
    """own_wheel: the file that Blender installed for the add-on itself, so that both ends are one version.

    pip_wheel: pip, since a Python may come without it. own_hash: SHA-256 of own_wheel.
    """

    own_wheel: Path
    pip_wheel: Path
    own_hash: str
    version: str = __version__


@functools.cache
def find_bundle(extension: Path = EXTENSION) -> Bundle:
    """Raises Motion324Error("wheel-missing") where the code does not run from an installed extension."""
    own = _only(extension / "wheels", f"motion324-{__version__}-*.whl")
    pip = _only(extension / "installation" / "pip", "pip-*.whl")
    return Bundle(own, pip, hashlib.sha256(own.read_bytes()).hexdigest())


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if found:
        return found[-1]
    raise Motion324Error(
        "wheel-missing",
        f"There is no {pattern} in '{folder}', from which the backend is installed.",
        "Install the extension from its zip; with code from a checkout, choose a backend's Python in the preferences.",
        EXIT_BACKEND,
    )


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
