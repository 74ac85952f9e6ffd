"""The reconstructors by name; each is loaded on first use and kept until it is unloaded."""

from __future__ import annotations

import threading

from motion324.errors import EXIT_USAGE, Motion324Error
from motion324.reconstructors.interface import Reconstructor

DEFAULT = "deformation-fit"
NAMES = ("deformation-fit",)

_loaded: dict[str, Reconstructor] = {}
_lock = threading.Lock()


def get_reconstructor(name: str) -> Reconstructor:
    """`name` is one of NAMES, or "auto" for the default. Raises Motion324Error("bad-option") for any other."""
    wanted = DEFAULT if name == "auto" else name
    if wanted not in NAMES:
        raise Motion324Error(
            "bad-option",
            f"The reconstructor '{name}' is not known.",
            f"Choose auto or {', '.join(NAMES)}.",
            EXIT_USAGE,
        )
    with _lock:
        if wanted not in _loaded:
            _loaded[wanted] = _load()
        return _loaded[wanted]


def loaded_reconstructors() -> list[str]:
    """Names of those in memory."""
    return sorted(_loaded)


def unload_reconstructors() -> None:
    """Frees what they hold; the next job loads again."""
    with _lock:
        _loaded.clear()


def _load() -> Reconstructor:
    from motion324.reconstructors.deformation_fit.reconstructor import DeformationFit

    return DeformationFit()
