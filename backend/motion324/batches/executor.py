"""Defines what works items off: the small interface that this process, several processes and a Ray cluster share.

A task is given to an executor under a key, and comes back as Ended, with what its `run` returned, or as Lost, where
the process or machine that did it has gone. What becomes of either is decided by motion324.batches.scheduler alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from motion324.core.jobs.job_resources import Resources
from motion324.core.progress import Progress

if TYPE_CHECKING:
    from motion324.blender.item_process import BlenderItems

Beat = Callable[[], None]  # called several times a second while an executor waits; may raise to stop everything


class Task(Protocol):
    """What an executor runs; it travels to other processes by pickle."""

    @property
    def name(self) -> str: ...

    @property
    def resources(self) -> Resources: ...

    @property
    def needs_blender(self) -> bool: ...

    def run(self, workplace: Workplace, progress: Progress) -> Any:
        """What becomes of it; its own failures are part of that. Raises Cancelled where progress does."""


@dataclass(frozen=True)
class Ended:
    """answer: what the task's run returned. node: the machine that did it."""

    key: int
    answer: Any
    node: str


@dataclass(frozen=True)
class Lost:
    """why: a sentence."""

    key: int
    why: str
    node: str


@dataclass
class Running:
    """An item that is being done; stage, done and total as its progress told last."""

    key: int
    name: str
    node: str
    stage: str = ""
    done: int = 0
    total: int = 0


class Executor(Protocol):
    """Use it as a context: when it ends, no worker and no file of it is left."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def has_room(self, task: Task) -> bool:
        """Whether the task can be started now."""

    def start(self, key: int, task: Task) -> None: ...

    def wait(self, seconds: float, beat: Beat) -> list[Ended | Lost]:
        """What has come to its end, after so many seconds at most unless the work is done in this process."""

    def running(self) -> list[Running]: ...

    def workers(self) -> dict[str, int]:
        """How many there are, by the names of their machines."""


class Workplace:
    """What a worker keeps from item to item, so that it is started and loaded once: a Blender for those that need it.

    What reconstructors load stays in their own modules.
    """

    def __init__(self) -> None:
        self._blender: BlenderItems | None = None

    def blender(self, executable: Path | None) -> BlenderItems:
        """The Blender that does items, started where none runs. Raises Motion324Error("blender-not-found", ...)."""
        from motion324.blender.item_process import BlenderItems

        if self._blender is None or not self._blender.is_alive():
            self.close()
            self._blender = BlenderItems(executable)
        return self._blender

    def close(self) -> None:
        if self._blender is not None:
            with contextlib.suppress(OSError):
                self._blender.end()
            self._blender = None
