"""Does one job and waits for it, and shows its progress, or that of the installation, on a terminal or line by line in
a log file.

What the operator does in the background is a plain function here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import bpy

from motion324.core.options.animate_options import AnimateOptions

from ..installation.state import InstallationState
from ..job.backend import Where
from ..job.records import Order
from ..job.runner import runner
from ..job.state import JobState, Phase
from ..runner_base.state import STARTING, stage_label
from ..scene.playing import timing
from ..scene.playing.animation import Animation
from ..settings import preferences

LOG_SECONDS = 10.0  # between two lines of one stage where the output is no terminal


def animate_blocking(
    obj: bpy.types.Object,
    video: Path,
    options: AnimateOptions | None = None,
    on_progress: Callable[[JobState], None] = lambda state: None,
    *,
    start: float = 1.0,
    mode: str = timing.KEEP_FRAMES,
    where: Where | None = None,
) -> Animation:
    """Animates the object after the video and returns the result; nothing is changed yet, see `scene.keeping`.

    on_progress(state) is called at least twice a second; what it raises cancels the job. start: the scene's frame of
    the first result frame. where: the backend; None takes the preferences'. The animation's positions lie in a
    temporary file until `release()`, or the next job of the object.
    Raises the Motion324Error that ended the job.
    """
    order = Order(
        obj=obj,
        video=Path(video),
        options=options or AnimateOptions(),
        where=where or preferences.connection(),
        start=start,
        mode=mode,
    )
    return runner.run_blocking(order, on_progress)


def release() -> None:
    """Forgets all results, and removes their temporary files."""
    runner.forget_all()


class ProgressLine:
    """Shows each state of a job: on a terminal one line that changes, elsewhere a line now and then.

    line_of: (state, seconds of the monotonic clock) -> the line; `describe` for jobs.
    """

    def __init__(self, out: TextIO, label: str = "", line_of: Callable[[Any, float], str] | None = None) -> None:
        self._out = out
        self._line_of = line_of or describe
        self._label = f"{label}: " if label else ""
        self._alive = out.isatty()
        self._last = ""
        self._said_stage = ""
        self._said_at = 0.0

    def show(self, state: JobState | InstallationState) -> None:
        text = self._label + self._line_of(state, time.monotonic())
        if self._alive:
            if text != self._last:
                self._out.write("\r" + text.ljust(len(self._last)))
                self._out.flush()
                self._last = text
            return
        stage, now = f"{state.phase.value} {state.stage}", time.monotonic()
        if stage != self._said_stage or now - self._said_at >= LOG_SECONDS:
            self._said_stage, self._said_at = stage, now
            print(text, file=self._out, flush=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._alive and self._last:
            self._out.write("\n")
            self._out.flush()


def describe(state: JobState, now: float) -> str:
    """One line: what happens, how far it is, how long it has taken and still takes."""
    seconds = f"{state.seconds(now):.0f} s"
    if state.phase is Phase.STARTING:
        return f"{STARTING}, {seconds}"
    if state.phase is Phase.QUEUED:
        return f"waiting behind {state.ahead} other job{'s' if state.ahead > 1 else ''}, {seconds}"
    if state.phase is Phase.RUNNING and state.stage:
        part = f", {state.done} of {state.total}" if state.total else ""
        left = ""
        if state.remaining_total is not None:
            left = f", about {state.remaining_total:.0f} s left"
        return f"{stage_label(state.stage)}{part}, {seconds}{left}"
    return f"{state.phase.value}, {seconds}"
