"""The log of a training run: one JSON object a line, a short line for people, and the means since the last one."""

from __future__ import annotations

import json
import time
from dataclasses import fields
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from motion324.training.compact.losses import Losses


class RunLog:
    """Only the first process writes; the others are given no folder and write nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._started = time.monotonic()
        self._file: TextIO | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "log.jsonl").open("w", encoding="utf-8")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def write(self, kind: str, **values: Any) -> None:
        if self._file is None:
            return
        entry = {"kind": kind, "seconds": round(self.seconds, 1), **{k: _rounded(v) for k, v in values.items()}}
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
        shown = "  ".join(f"{key} {value}" for key, value in entry.items() if not isinstance(value, dict))
        print(shown, flush=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return value


class Measured:
    """Sums since the last line of the log."""

    def __init__(self, waited: float) -> None:
        self.sums: dict[str, Tensor] = {}
        self.since, self.waited = time.monotonic(), waited

    def add(self, found: Losses, length: Tensor) -> None:
        values = {field.name: getattr(found, field.name) for field in fields(found) if field.name != "total"}
        for name, value in {**values, "gradient": length}.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()

    def means(self, steps: int) -> dict[str, float]:
        total = torch.stack(list(self.sums.values())) / steps
        return dict(zip(self.sums, total.tolist(), strict=True))
