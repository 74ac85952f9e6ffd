"""Writes what a training run tells of itself: to the terminal, OUT/log.jsonl, TensorBoard, Weights & Biases."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.training.shared.config import LogConfig

CURVES = ("train", "validation")


class TrainingLog:
    """Only the first process writes; the others are given no folder and write nothing.

    Raises Motion324Error("tensorboard-missing", "wandb-missing") where a package is wanted that is not installed.
    """

    def __init__(self, folder: Path | None, config: LogConfig, about: dict[str, Any], step: int) -> None:
        """about: the run's configuration. step: from which on this run goes; what was told of later steps is void."""
        self._file = self._events = self._wandb = None
        self._started = time.monotonic()
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if config.tensorboard:
            self._events = _tensorboard(folder / "tensorboard", step)
        if config.wandb != "off":
            self._wandb = _wandb(folder, config, about)
        self._file = (folder / "log.jsonl").open("a", encoding="utf-8")

    def tell(self, kind: str, step: int, **values: Any) -> None:
        """One line. Numbers of the kinds in CURVES also become curves, named kind/value."""
        if self._file is None:
            return
        seconds = round(time.monotonic() - self._started, 1)
        entry = {"kind": kind, "step": step, "seconds": seconds, **{name: _rounded(v) for name, v in values.items()}}
        self._file.write(json.dumps(entry, allow_nan=True) + "\n")
        self._file.flush()
        print("  ".join(f"{name} {value}" for name, value in entry.items() if not isinstance(value, dict)), flush=True)
        numbers = {f"{kind}/{name}": v for name, v in values.items() if kind in CURVES and type(v) in (int, float)}
        if self._events is not None:
            for name, value in numbers.items():
                self._events.add_scalar(name, value, step)
            self._events.flush()
        if self._wandb is not None and numbers:
            self._wandb.log(numbers, step=step)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._events is not None:
            self._events.close()
        if self._wandb is not None:
            self._wandb.finish()


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise Motion324Error(
            "tensorboard-missing",
            "The log for TensorBoard needs the package tensorboard, which is not installed.",
            "Install the extra 'train', or set log.tensorboard=false.",
            EXIT_USAGE,
        ) from error
    return SummaryWriter(str(folder), purge_step=step if step else None)


def _wandb(folder: Path, config: LogConfig, about: dict[str, Any]) -> Any:
    try:
        import wandb
    except ImportError as error:
        raise Motion324Error(
            "wandb-missing",
            f"The log for Weights & Biases (log.wandb={config.wandb}) needs the package wandb, which is not installed.",
            "Install it with pip install wandb, or set log.wandb=off.",
            EXIT_USAGE,
        ) from error
    known = folder / "wandb_id.txt"
    name = known.read_text(encoding="utf-8").strip() if known.is_file() else secrets.token_hex(4)
    known.write_text(name, encoding="utf-8")
    return wandb.init(
        project=config.wandb_project,
        name=config.wandb_name or folder.name,
        id=name,
        resume="allow",
        mode=config.wandb,
        dir=str(folder),
        config=about,
    )


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
