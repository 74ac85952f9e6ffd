"""Holds the jobs of this Blender, the events that change them, and the effects that a change asks for: frozen
data only.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from ..runner_base.state import Problem, Progress


class Phase(enum.Enum):
    """WAITING -> STARTING -> QUEUED <-> RUNNING -> DONE, FAILED, LOST or CANCELLED."""

    IDLE = "idle"  # there is no job
    WAITING = "waiting"  # behind other jobs of this Blender
    STARTING = "starting"  # the backend is being started, or the mesh is on its way to it
    QUEUED = "queued"  # behind other programs' jobs in the backend
    RUNNING = "running"
    DONE = "done"  # a result waits to be kept or discarded
    FAILED = "failed"
    LOST = "lost"  # the backend ended without a word
    CANCELLED = "cancelled"
    SHELVED = "shelved"  # all its results were kept or discarded, and may come back: by undo, or when asked for


BUSY = frozenset({Phase.STARTING, Phase.QUEUED, Phase.RUNNING})
ENDED = frozenset({Phase.DONE, Phase.FAILED, Phase.LOST, Phase.CANCELLED})
REPEATABLE = frozenset({Phase.FAILED, Phase.LOST})
LOST_CODES = frozenset({"backend-lost", "backend-died"})


@dataclass(frozen=True)
class JobState(Progress):
    """One job.

    number: of every job another one. objects: the session_uid of each object that it animates; once it is done, of each
    on which its result waits. kept, discarded: of those whose results were, and may come back.
    expected: the stages to come and the seconds that each may take, empty while nothing is known.
    ahead: jobs of others in front of this one. frames_ready: frames of the preview that can be played; frames: of the
    result. match: overlap of the silhouettes of mesh and video, 0..1, once the running job knows it. notice: what
    people should know about how it ended, where that is no error.
    """

    phase: Phase = Phase.IDLE
    number: int = 0
    object_name: str = ""
    video_name: str = ""
    objects: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    discarded: tuple[int, ...] = ()
    expected: tuple[tuple[str, float], ...] = ()
    ahead: int = 0
    frames_ready: int = 0
    frames: int = 0
    match: float | None = None
    warnings: tuple[str, ...] = ()
    notice: str = ""

    @property
    def busy(self) -> bool:
        return self.phase in BUSY

    @property
    def remaining_total(self) -> float | None:
        """Seconds until the result: as the backend tells, or until it does, judged by earlier jobs; None: not known."""
        if self.phase is not Phase.RUNNING:
            return None
        if self.remaining:
            return self.remaining
        names = [name for name, _ in self.expected]
        if self.stage not in names:
            return None
        place = names.index(self.stage)
        now = self.expected[place][1] * (1 - self.done / self.total if self.total else 1)
        return now + sum(seconds for _, seconds in self.expected[place + 1 :])


@dataclass(frozen=True)
class Jobs:
    """All jobs that are not forgotten yet; at most one of them is busy. Those that wait are in the order in which they
    will start, all others in that of their numbers but for what was reordered before it began.

    newest: the highest number that was given.
    """

    jobs: tuple[JobState, ...] = ()
    newest: int = 0

    @property
    def busy(self) -> JobState | None:
        return next((job for job in self.jobs if job.busy), None)

    @property
    def queue(self) -> tuple[JobState, ...]:
        """Those that wait, the next one first."""
        return tuple(job for job in self.jobs if job.phase is Phase.WAITING)

    @property
    def results(self) -> tuple[JobState, ...]:
        """Those whose results wait to be kept or discarded."""
        return tuple(job for job in self.jobs if job.phase is Phase.DONE)

    @property
    def failures(self) -> tuple[JobState, ...]:
        """Those that failed, or lost their backend, and were neither closed nor started again."""
        return tuple(job for job in self.jobs if job.phase in REPEATABLE)

    @property
    def shown(self) -> JobState:
        """The one that runs; or else the one that ended last; or else one that is idle."""
        ended = sorted((job for job in self.jobs if job.phase in ENDED), key=lambda job: job.ended)
        return self.busy or (ended[-1] if ended else JobState(number=self.newest))

    @property
    def discarded(self) -> JobState | None:
        """The job whose results, or some of them, were discarded last."""
        return next((job for job in reversed(self.jobs) if job.discarded), None)

    def get(self, number: int) -> JobState | None:
        return next((job for job in self.jobs if job.number == number), None)

    def reordered(self, job: JobState, place: int) -> Jobs:
        """With one that waits at another place among those; all others keep theirs."""
        queue = [waiting for waiting in self.queue if waiting.number != job.number]
        queue.insert(max(place, 0), job)
        rest = iter(queue)
        return replace(self, jobs=tuple(next(rest) if each.phase is Phase.WAITING else each for each in self.jobs))

    def occupied(self, objects: tuple[int, ...]) -> JobState | None:
        """A job that runs or waits for one of these objects."""
        pending = (job for job in self.jobs if job.busy or job.phase is Phase.WAITING)
        return next((job for job in pending if set(objects) & set(job.objects)), None)


# Events. Those that come from a job's worker carry its number.


@dataclass(frozen=True)
class Ordered:
    """The user wants a job; it gets the number `newest + 1`, and waits where another one is busy."""

    object_name: str
    video_name: str
    objects: tuple[int, ...]
    now: float


@dataclass(frozen=True)
class QueueMoved:
    """So many jobs of others are ahead of this one in the backend."""

    number: int
    ahead: int


@dataclass(frozen=True)
class Expected:
    """seconds: of each stage, in their order, as earlier jobs make one expect."""

    number: int
    seconds: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Progressed:
    """remaining: seconds that the backend expects, once it does. match: as `JobState` has it."""

    number: int
    stage: str
    done: int
    total: int
    remaining: float | None = None
    match: float | None = None


@dataclass(frozen=True)
class FramesCame:
    """frames_ready: how many frames, from the first on, the preview has now. first: the lowest that is new in it."""

    number: int
    frames_ready: int
    first: int = 0


@dataclass(frozen=True)
class Finished:
    """All frames are there."""

    number: int
    frames: int
    now: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """There will be no result."""

    number: int
    problem: Problem
    now: float


@dataclass(frozen=True)
class CancelAsked:
    """The one that runs shall stop; those that wait go on, or with `all_of_them` go, too."""

    now: float
    all_of_them: bool = False


@dataclass(frozen=True)
class Unqueued:
    """The one of that number shall not be started; or, where a place is given, as that one of those that wait."""

    number: int
    place: int | None = None


@dataclass(frozen=True)
class Restarted:
    """The one of that number, which failed, shall be done again."""

    number: int
    now: float


@dataclass(frozen=True)
class FileLeft:
    """Another file is open, or the add-on goes: all that runs and waits is over. notice: what was lost, for people."""

    now: float
    notice: str


@dataclass(frozen=True)
class Kept:
    """The results of these objects (empty: all of the job's) are part of the .blend."""

    number: int
    objects: tuple[int, ...] = ()


@dataclass(frozen=True)
class Discarded:
    """The results of these objects (empty: all of the job's), or its message, are not wanted any more."""

    number: int
    objects: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reopened:
    """The results of these objects, which were kept or discarded, shall wait again."""

    number: int
    objects: tuple[int, ...]


@dataclass(frozen=True)
class Adopted:
    """A result that was kept once, and is read from its objects, shall wait again, as job number `newest + 1`."""

    object_name: str
    video_name: str
    objects: tuple[int, ...]
    frames: int
    now: float


FromWorker = QueueMoved | Expected | Progressed | FramesCame | Finished | Failed
Event = FromWorker | Ordered | CancelAsked | Unqueued | Restarted | FileLeft | Kept | Discarded | Reopened | Adopted


class Effect(enum.Enum):
    START_WORK = "start work"
    STOP_WORK = "stop work"  # and remove its files
    SHOW_PREVIEW = "show preview"  # the first frames have come
    REFRESH_PREVIEW = "refresh preview"
    SHOW_RESULT = "show result"
    HIDE_PREVIEW = "hide preview"
    SHOW_AGAIN = "show again"  # the results of some objects, which come back
    SHELVE = "shelve"  # the results of some objects, which may come back
    FORGET = "forget"  # the job
    REDRAW = "redraw"


UNSHOWING = (Effect.HIDE_PREVIEW, Effect.SHELVE, Effect.FORGET)


@dataclass(frozen=True)
class Do:
    """An effect on a job; on these objects of it, where they are not all."""

    effect: Effect
    number: int = 0
    objects: tuple[int, ...] = ()
