"""The state of the job, the events that change it, and the effects that a change asks for: frozen data only."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from motion324.errors import EXIT_INTERNAL, Motion324Error


class Phase(enum.Enum):
    """IDLE -> STARTING -> QUEUED <-> RUNNING -> DONE, FAILED or CANCELLED; from the last three, START again."""

    IDLE = "idle"
    STARTING = "starting"  # the backend is being started, or the mesh is on its way to it
    QUEUED = "queued"  # behind other jobs of the backend
    RUNNING = "running"
    CANCELLING = "cancelling"  # asked to stop, not stopped yet
    DONE = "done"  # a result waits to be kept or discarded
    FAILED = "failed"
    CANCELLED = "cancelled"


BUSY = {Phase.STARTING, Phase.QUEUED, Phase.RUNNING, Phase.CANCELLING}


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


@dataclass(frozen=True)
class JobState:
    """number: rises with every job, so that late events of an earlier one are told apart.

    stage, done, total: as the backend counts them. remaining: seconds that the stage still takes, None if not known.
    ahead: jobs in front of this one. frames_ready: frames of the preview that can be played.
    began, ended: seconds of a monotonic clock.
    """

    phase: Phase = Phase.IDLE
    number: int = 0
    object_name: str = ""
    video_name: str = ""
    stage: str = ""
    done: int = 0
    total: int = 0
    remaining: float | None = None
    ahead: int = 0
    frames_ready: int = 0
    frames: int = 0
    began: float = 0.0
    ended: float = 0.0
    warnings: tuple[str, ...] = ()
    problem: Problem | None = None

    @property
    def busy(self) -> bool:
        return self.phase in BUSY

    def seconds(self, now: float) -> float:
        """How long the job has been running, or ran."""
        return (now if self.busy else self.ended) - self.began


# Events. Those that come from the job's worker carry its number.


@dataclass(frozen=True)
class Started:
    object_name: str
    video_name: str
    now: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class QueueMoved:
    number: int
    ahead: int


@dataclass(frozen=True)
class Progressed:
    number: int
    stage: str
    done: int
    total: int
    remaining: float | None = None


@dataclass(frozen=True)
class FramesCame:
    """frames_ready: how many frames, from the first on, the preview has now."""

    number: int
    frames_ready: int


@dataclass(frozen=True)
class Finished:
    number: int
    frames: int
    now: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    number: int
    problem: Problem
    now: float


@dataclass(frozen=True)
class Stopped:
    """The worker has ended after a request to cancel."""

    number: int
    now: float


@dataclass(frozen=True)
class CancelAsked:
    """By the user, or because another file is opened."""


@dataclass(frozen=True)
class Kept:
    """The result is part of the .blend."""


@dataclass(frozen=True)
class Discarded:
    """The result, or the message of a failure, is not wanted any more."""


Event = Started | QueueMoved | Progressed | FramesCame | Finished | Failed | Stopped | CancelAsked | Kept | Discarded


class Effect(enum.Enum):
    START_WORK = "start work"
    STOP_WORK = "stop work"
    SHOW_PREVIEW = "show preview"  # the first frames have come
    REFRESH_PREVIEW = "refresh preview"
    SHOW_RESULT = "show result"
    HIDE_PREVIEW = "hide preview"
    FORGET_RESULT = "forget result"
    REDRAW = "redraw"
