"""The wheels that the extension brings along for the backend: its own, and pip's."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from motion324 import __version__
from motion324.core.errors import EXIT_BACKEND, Motion324Error

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
