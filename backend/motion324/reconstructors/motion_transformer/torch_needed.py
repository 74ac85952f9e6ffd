"""Says that the motion transformer needs PyTorch, which the base installation does not bring."""

from __future__ import annotations

import importlib
import importlib.util

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error


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


def import_torch() -> None:
    """Takes seconds the first time. Raises Motion324Error("torch-missing", "torch-broken")."""
    require_torch()
    try:
        importlib.import_module("torch")
    except (ImportError, OSError) as error:  # libraries of CUDA or of the system that are missing or do not fit
        raise Motion324Error(
            "torch-broken",
            f"PyTorch is installed but cannot be loaded: {str(error).strip()[:300].rstrip('.')}.",
            "Install it anew, in the build that fits this machine.",
            EXIT_BACKEND,
        ) from error
