"""Writes what a training run tells of itself: to the terminal, OUT/log.jsonl, TensorBoard, Weights & Biases."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any, TextIO

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.training.shared.config import LogConfig

CURVES = ("train", "validation")


class RunLog:
    """One JSON object a line in OUT/log.jsonl, and a short line for people.

    Only the first process writes; the others are given no folder and write nothing.
    """

    def __init__(self, folder: Path | None, goes_on: bool = False) -> None:
        """goes_on: whether what an earlier run has written stays."""
        self._started = time.monotonic()
        self._file: TextIO | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "log.jsonl").open("a" if goes_on else "w", encoding="utf-8")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def write(self, kind: str, **values: Any) -> None:
        if self._file is None:
            return
        entry = {"kind": kind, "seconds": round(self.seconds, 1), **{k: _rounded(v) for k, v in values.items()}}
        self._file.write(json.dumps(entry, allow_nan=True) + "\n")
        self._file.flush()
        print("  ".join(f"{name} {value}" for name, value in entry.items() if not isinstance(value, dict)), flush=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class TrainingLog(RunLog):
    """Curves for TensorBoard and Weights & Biases as well; a run that goes on adds to the log.

    Raises Motion324Error("tensorboard-missing", "wandb-missing") where a package is wanted that is not installed.
    """

    def __init__(self, folder: Path | None, config: LogConfig, about: dict[str, Any], step: int) -> None:
        """about: the run's configuration. step: from which on this run goes; what was told of later steps is void."""
        self._events = self._wandb = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            if config.tensorboard:
                self._events = _tensorboard(folder / "tensorboard", step)
            if config.wandb != "off":
                self._wandb = _wandb(folder, config, about)
        super().__init__(folder, goes_on=True)

    def tell(self, kind: str, step: int, **values: Any) -> None:
        """One line. Numbers of the kinds in CURVES also become curves, named kind/value."""
        self.write(kind, step=step, **values)
        numbers = {f"{kind}/{name}": v for name, v in values.items() if kind in CURVES and type(v) in (int, float)}
        if self._events is not None:
            for name, value in numbers.items():
                self._events.add_scalar(name, value, step)
            self._events.flush()
        if self._wandb is not None and numbers:
            self._wandb.log(numbers, step=step)

    def close(self) -> None:
        super().close()
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
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return value
