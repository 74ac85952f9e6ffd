"""The motion transformer needs PyTorch, which the base installation does not bring."""

from __future__ import annotations

import importlib.util

from motion324.errors import EXIT_USAGE, Motion324Error


def is_torch_installed() -> bool:
    return importlib.util.find_spec("torch") is not None


def require_torch() -> None:
    """Raises Motion324Error("torch-missing")."""
    if not is_torch_installed():
        raise Motion324Error(
            "torch-missing",
            "The motion transformer needs PyTorch, which is not installed.",
            "Install the backend with its 'cpu' or 'cuda' extra, as the README shows.",
            EXIT_USAGE,
        )
