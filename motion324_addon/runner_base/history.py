"""Keeps the last events of jobs, looks and the installation, for the report that is sent to somebody. No bpy.

Of an event only its name, numbers, stage and error code are kept: what else it holds may name a file, an address or a
secret, and a report has none of these.
"""

from __future__ import annotations

import dataclasses
import enum
import time
from collections import deque
from typing import Any

from .state import Problem

LENGTH = 200
NEAR = 3  # an event like one of so many before it is counted there, so that progress does not push all else out
WORDS = {"stage", "unit"}  # fields of events whose text is one of ours


@dataclasses.dataclass
class Entry:
    """An event, or several alike in a row. at, last: seconds since 1970 of the first and of the last one.

    event: the last one. state: after it.
    """

    at: float
    runner: str
    kind: str
    event: str
    state: str
    last: float
    count: int = 1

    def line(self) -> str:
        more = f" ({self.count} times, until {_clock(self.last)})" if self.count > 1 else ""
        return f"{_clock(self.at)} {self.runner}: {self.event} -> {self.state}{more}"


class History:
    """A ring: what is noted last pushes out what was noted first. Blender's main thread only."""

    def __init__(self, length: int = LENGTH) -> None:
        self._entries: deque[Entry] = deque(maxlen=length)

    def note(self, runner: str, event: object, state: str) -> None:
        """runner: whose event it was. state: the runner's after it, in a few words."""
        now, kind, text = time.time(), type(event).__name__, told(event)
        for entry in list(self._entries)[-NEAR:]:
            if (entry.runner, entry.kind, entry.state) == (runner, kind, state):
                entry.event, entry.last, entry.count = text, now, entry.count + 1
                return
        self._entries.append(Entry(now, runner, kind, text, state, now))

    def lines(self) -> list[str]:
        """A line for each, the oldest first."""
        return [entry.line() for entry in self._entries]


def told(event: object) -> str:
    """The event in a line: its name, and those of its fields that are numbers, choices, stages or errors."""
    parts = [type(event).__name__]
    for field in dataclasses.fields(event) if dataclasses.is_dataclass(event) else ():
        text = _text(field.name, getattr(event, field.name))
        if text:
            parts.append(f"{field.name} {text}")
    return ", ".join(parts)


def _text(name: str, value: Any) -> str:
    if isinstance(value, Problem):
        return value.code
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, bool | int | float):
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    return value if name in WORDS and isinstance(value, str) else ""


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds)) + f".{int(seconds * 10) % 10}"


history = History()
