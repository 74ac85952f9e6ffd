"""Shows what a command does while it works: progress and warnings, on stderr, for people or as JSON for programs."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sys
import time
from collections.abc import Iterator
from typing import TextIO

from motion324.core.errors import Motion324Error
from motion324.core.jobs.job_pace import JobPace
from motion324.core.jobs.job_plan import JobPlan
from motion324.core.processes.interruption import look
from motion324.core.processes.machine import slower_by_others
from motion324.core.progress import STAGE_LABELS

WORDS = {
    **STAGE_LABELS,
    "read": "Reading",  # a mesh, too, where Blender reads it
    "download": "Downloading megabytes",
    "evaluate": "Scoring clips",
    "align": "Aligning",
    "report": "Drawing the report",
    "render": "Rendering",
    "videos": "Comparing videos",
    "batch": "Animating items",
}
LIVE_SECONDS = 0.1  # between two changes of the line on a terminal
LINE_SECONDS = 10.0  # between two plain lines of the same stage
JSON_SECONDS = 0.25


class Terminal:
    """A Progress that shows itself: one line that changes on a terminal, plain lines elsewhere, or lines of JSON.

    JSON lines: {"stage", "done", "total", "remaining"} with remaining in seconds or null, {"warning"}, and {"error"}
    with the fields of Motion324Error. What remains is that of the whole job once its plan is known, else of the stage.
    """

    def __init__(self, out: TextIO | None = None, as_json: bool = False) -> None:
        self._out = out or sys.stderr
        self._as_json = as_json
        self._alive = not as_json and self._out.isatty()
        self._interval = JSON_SECONDS if as_json else LIVE_SECONDS if self._alive else LINE_SECONDS
        self._pace = JobPace(slower_by_others())
        self._shown = ("", -1e9)
        self._width = 0
        self._said: set[str] = set()

    def expect(self, plan: JobPlan) -> None:
        """An OnPlan: what remains is told of all of it from here on."""
        self._pace.expect(plan)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Raises Cancelled after Ctrl-C."""
        look()
        now = time.monotonic()
        remaining = self._pace.update(stage, done, total, now)
        stage_before, shown_at = self._shown
        ended = done >= total and self._interval != LINE_SECONDS
        if stage == stage_before and not ended and now - shown_at < self._interval:
            return
        self._shown = (stage, now)
        if self._as_json:
            left = None if remaining is None else round(remaining, 1)
            self._print(json.dumps({"stage": stage, "done": done, "total": total, "remaining": left}))
        elif self._alive:
            self._show(describe(stage, done, total, remaining))
        else:
            self._print(describe(stage, done, total, remaining))

    def warn(self, sentence: str) -> None:
        """Says a warning, once."""
        if sentence in self._said:
            return
        self._said.add(sentence)
        self.clear()
        self._print(json.dumps({"warning": sentence}) if self._as_json else f"warning: {sentence}")

    def fail(self, error: Motion324Error) -> None:
        self.clear()
        if self._as_json:
            self._print(json.dumps({"error": error_fields(error)}))
        else:
            self._print(f"error: {error}")

    def clear(self) -> None:
        """Takes the changing line away, before something else is printed."""
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0

    def _show(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]
        self._out.write("\r" + text.ljust(self._width))
        self._out.flush()
        self._width = len(text)

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


@contextlib.contextmanager
def working(terminal: Terminal) -> Iterator[None]:
    """While a command works: logged warnings become warnings on the terminal, and no line of progress stays behind."""
    handler = _LogToTerminal(terminal)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        terminal.clear()


class _LogToTerminal(logging.Handler):
    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        self._terminal.warn(record.getMessage())


def describe(stage: str, done: int, total: int, remaining: float | None) -> str:
    """One line, such as "Reconstructing  12 of 29  (about 0:17 left)"."""
    text = WORDS.get(stage, stage)
    if total > 1:
        text += f"  {done} of {total}"
    if remaining and remaining >= 1:
        text += f"  (about {int(remaining) // 60}:{int(remaining) % 60:02d} left)"
    return text


def error_fields(error: Motion324Error) -> dict[str, str | int]:
    return {"code": error.code, "sentence": error.sentence, "hint": error.hint, "exit_code": error.exit_code}
