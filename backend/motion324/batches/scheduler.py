"""Hands tasks to an executor until all are done: what is lost runs again, so many times at most, and is then told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from motion324.batches.executor import Executor, Lost, Task

LOOK = 0.2  # seconds between two looks for cancellation
RETRIES = 2


@dataclass(frozen=True)
class Answer:
    """What became of one task. value: what its run returned; None where it was lost each time, for the reason `why`.

    attempts: how often it was begun. node: the machine that did it, or had it last.
    """

    key: int
    value: Any
    why: str
    attempts: int
    node: str


@dataclass
class _Held:
    task: Task
    attempts: int = 1


def work_off(
    tasks: Iterable[tuple[int, Task]],
    executor: Executor,
    tell: Callable[[Answer], None],
    beat: Callable[[], None],
    retries: int = RETRIES,
) -> None:
    """tasks: with their keys; taken one by one as there is room, so that a long list costs no memory.

    tell: gets each answer once. beat: called several times a second; it may raise to stop everything.
    """
    source = iter(tasks)
    again: deque[tuple[int, _Held]] = deque()
    held: dict[int, _Held] = {}
    following = _next(source)
    while following or again or held:
        # What was lost comes last: one that takes its worker with it each time holds up the others least so.
        while (given := following or (again[0] if again else None)) and executor.has_room(given[1].task):
            key, entry = given
            executor.start(key, entry.task)
            held[key] = entry
            if following:
                following = _next(source)
            else:
                again.popleft()
        beat()
        for event in executor.wait(LOOK, beat):
            entry = held.pop(event.key)
            if isinstance(event, Lost) and entry.attempts <= retries:
                entry.attempts += 1
                again.append((event.key, entry))
            elif isinstance(event, Lost):
                tell(Answer(event.key, None, event.why, entry.attempts, event.node))
            else:
                tell(Answer(event.key, event.answer, "", entry.attempts, event.node))
    beat()


def _next(source: Any) -> tuple[int, _Held] | None:
    found = next(source, None)
    return None if found is None else (found[0], _Held(found[1]))
