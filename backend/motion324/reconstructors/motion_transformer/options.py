"""Declares what a user may choose about running the motion transformer, and says that it needs PyTorch, which the base
installation does not bring.

Needs no torch itself.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import TRAINED_FRAMES, AnimateOptions
from motion324.core.options.option_group import OptionGroup, bad_option
from motion324.core.options.option_spec import option, same_option
from motion324.core.processes.machine import check_memory

_JOB = AnimateOptions.specs()


@dataclass(frozen=True)
class InferenceOptions(OptionGroup):
    """device, precision, attention, window, windows: as in AnimateOptions; the others are for programs."""

    device: str = same_option(_JOB["device"])
    precision: str = same_option(_JOB["precision"])
    attention: str = same_option(_JOB["attention"])
    window: int = same_option(_JOB["window"], high=None)
    windows: str = same_option(_JOB["windows"])
    trained_frames: int = option(
        TRAINED_FRAMES,
        "length that the table of positions in time is made for; videos are spread over it",
        low=1,
        flag=None,
    )
    keep_memory: bool = option(
        False, "keep the GPU memory of a job for the next one, which saves its allocation", flag=None
    )

    @classmethod
    def of_job(cls, options: AnimateOptions) -> InferenceOptions:
        return cls(options.device, options.precision, options.attention, options.window, options.windows)

    def check_together(self) -> None:
        most = max(self.trained_frames, 2)
        if self.window > most:
            raise bad_option("window", f"is {self.window}; it must lie between 2 and {most}")


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
    """Takes seconds the first time. Raises Motion324Error("torch-missing", "torch-broken", "too-little-memory")."""
    require_torch()
    check_memory()
    try:
        importlib.import_module("torch")
    except (ImportError, OSError) as error:  # libraries of CUDA or of the system that are missing or do not fit
        raise Motion324Error(
            "torch-broken",
            f"PyTorch is installed but cannot be loaded: {str(error).strip()[:300].rstrip('.')}.",
            "Install it anew, in the build that fits this machine.",
            EXIT_BACKEND,
        ) from error
