"""Holds what is known about the backend's installation, the events that change it, and the effects: frozen data
only.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..runner_base.state import Problem, Progress
from .check import Report
from .plan import Machine


class Condition(enum.Enum):
    """What lies in the extension's user folder."""

    MISSING = "missing"
    UNFINISHED = "unfinished"  # an installation was cancelled, or killed; what it downloaded is kept
    OUTDATED = "outdated"  # whole, but of another version than this extension
    PYTHON_GONE = "python-gone"  # whole, but the Python that it was made with is not there any more
    DAMAGED = "damaged"  # a check found that it does not work
    READY = "ready"


class Task(enum.Enum):
    INSTALL = "install"
    CHECK = "check"
    REMOVE = "remove"


class Phase(enum.Enum):
    """IDLE -> WORKING -> IDLE or FAILED; WORKING -> CANCELLING -> CANCELLED; from these, IDLE or WORKING again."""

    IDLE = "idle"
    WORKING = "working"
    CANCELLING = "cancelling"  # asked to stop, not stopped yet
    CANCELLED = "cancelled"
    FAILED = "failed"


class Stage(enum.StrEnum):
    """The steps of an installation, in their order."""

    PREPARE = "prepare"
    RESOLVE = "resolve"
    DOWNLOAD = "download"
    UNPACK = "unpack"
    VERIFY = "verify"


BYTES = "bytes"
PACKAGES = "packages"


@dataclass(frozen=True)
class InstallationState(Progress):
    """number: rises with every task, so that late events of an earlier one are told apart.

    stage: a value of Stage. item: the package that is being worked on. unit: of what is counted: BYTES or PACKAGES, ""
    where nothing is. machine: None until it was looked at. report: of the last check.
    """

    condition: Condition = Condition.MISSING
    phase: Phase = Phase.IDLE
    number: int = 0
    task: Task | None = None
    item: str = ""
    unit: str = ""
    machine: Machine | None = None
    report: Report | None = None

    @property
    def busy(self) -> bool:
        return self.phase in (Phase.WORKING, Phase.CANCELLING)

    @property
    def ready(self) -> bool:
        """Whether the backend may be started from here."""
        return self.condition is Condition.READY and not (self.busy and self.task is not Task.CHECK)


# Events. Those that come from a worker carry its number.


@dataclass(frozen=True)
class Looked:
    """condition: as it is on the disk just now."""

    condition: Condition


@dataclass(frozen=True)
class MachineSeen:
    """None where the look at it failed."""

    machine: Machine | None


@dataclass(frozen=True)
class Started:
    """The user wants that."""

    task: Task
    now: float


@dataclass(frozen=True)
class Moved:
    """item: what is worked on. unit: of done and total. remaining: seconds, once they are expected."""

    number: int
    stage: Stage
    item: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    remaining: float | None = None


@dataclass(frozen=True)
class Finished:
    """The worker has done it."""

    number: int
    condition: Condition
    now: float
    report: Report | None = None


@dataclass(frozen=True)
class Failed:
    """The worker could not do it."""

    number: int
    condition: Condition
    problem: Problem
    now: float


@dataclass(frozen=True)
class Stopped:
    """The worker has ended after a request to cancel."""

    number: int
    condition: Condition
    now: float


@dataclass(frozen=True)
class CancelAsked:
    """The user wants the worker to stop."""


@dataclass(frozen=True)
class Dismissed:
    """The message of a failure, or of a cancelled task, was closed."""


@dataclass(frozen=True)
class ChoiceChanged:
    """Another backend was chosen in the preferences, of which nothing is known."""


Event = Looked | MachineSeen | Started | Moved | Finished | Failed | Stopped | CancelAsked | Dismissed | ChoiceChanged


class Effect(enum.Enum):
    START_WORK = "start work"
    STOP_WORK = "stop work"
    REDRAW = "redraw"
