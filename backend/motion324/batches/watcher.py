"""Says what is told of a batch while it runs, and at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from motion324.batches.executor import Running


@dataclass(frozen=True)
class BatchSummary:
    """How many items were done now, were done before, and failed; record: where each result stands, a line of JSON."""

    done: int
    kept: int
    failed: int
    record: Path
    seconds: float = 0.0

    @property
    def total(self) -> int:
        return self.done + self.kept + self.failed


@dataclass
class Counts:
    """Where a batch is, for who shows it."""

    total: int
    kept: int = 0
    done: int = 0
    failed: int = 0
    again: int = 0
    by_node: dict[str, int] = field(default_factory=dict)

    @property
    def ended(self) -> int:
        return self.kept + self.done + self.failed


class Watcher(Protocol):
    """Shows a batch while it runs."""

    def show(self, counts: Counts, running: list[Running], workers: dict[str, int]) -> None:
        """Called several times a second. What it raises, such as Cancelled, stops the batch."""

    def ended(self, result: dict[str, Any]) -> None:
        """An item's result, as it stands in the record."""
