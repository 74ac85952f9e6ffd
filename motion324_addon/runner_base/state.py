"""Holds what the states of jobs, looks and the installation have in common (how far a piece of work is and why it
ended), and what panels and terminals say alike: stages, durations and sizes.

No bpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from motion324.core.errors import EXIT_INTERNAL, Motion324Error
from motion324.core.files.write_aside import system_error

STARTING = "Starting the engine"
# The stages that the backend tells of (see motion324.core.progress), then those of the installation.
STAGE_LABELS = {
    "load": "Loading the model",
    "read": "Reading the video",
    "foreground": "Cutting the object out",
    "mesh": "Making the mesh",
    "sample": "Sampling the surface",
    "view": "Finding the camera angle",
    "warm-up": "Warming up",
    "reconstruct": "Reconstructing",
    "refine": "Refining",
    "smooth": "Smoothing",
    "write": "Writing",
    "prepare": "Making the environment",
    "resolve": "Choosing packages",
    "download": "Downloading",
    "unpack": "Unpacking",
    "verify": "Checking",
}


@dataclass(frozen=True)
class Problem:
    """An error as people read it. log_path: "" where there is no log."""

    code: str
    sentence: str
    hint: str = ""
    log_path: str = ""
    exit_code: int = EXIT_INTERNAL

    def to_error(self) -> Motion324Error:
        return Motion324Error(self.code, self.sentence, self.hint, self.exit_code)


def problem_of(error: Exception, log_path: Path | None = None, who: str = "Motion324") -> Problem:
    """Any error as a sentence for people. log_path: where its details are, if they are on this machine.

    who: met the error, where it is one of our own making.
    """
    path = str(log_path) if log_path and log_path.exists() else ""
    error = system_error(error) or error
    if isinstance(error, Motion324Error):
        return Problem(error.code, error.sentence, error.hint, path, error.exit_code)
    sentence = f"{who} met an error of its own: {type(error).__name__}: {error}."
    return Problem("internal", sentence, "Please report it, with the log.", path)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a piece of work is.

    stage, done, total: as whoever does the work counts them; "" while nothing is told, and total 0 where it is not
    known. remaining: seconds until the end, None if not known. began, ended: seconds of a monotonic clock.
    problem: what ended it, if an error did.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    remaining: float | None = None
    began: float = 0.0
    ended: float = 0.0
    problem: Problem | None = None

    @property
    def busy(self) -> bool:
        """Whether the work goes on."""
        raise NotImplementedError

    @property
    def fraction(self) -> float | None:
        """How much of the stage is done, 0 to 1; None where it is not known."""
        return min(1.0, self.done / self.total) if self.total else None

    def seconds(self, now: float) -> float:
        """How long the work has been going on, or went on."""
        return (now if self.busy else self.ended) - self.began


def stage_label(stage: str) -> str:
    """What a stage is called before people; without one the backend is being started."""
    return STAGE_LABELS.get(stage, stage.capitalize()) if stage else STARTING


def duration(seconds: float) -> str:
    """42 s, 3:07 min, 1:05:00 h"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d} h"
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def readable_size(count: int) -> str:
    """Bytes as people read them: "41 kB", "2.5 MB", "690 MB", "3.2 GB"."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            digits = 1 if count < 10 * factor else 0
            return f"{f'{count / factor:.{digits}f}'.removesuffix('.0')} {unit}"
    return f"{round(count / 1e3)} kB"
