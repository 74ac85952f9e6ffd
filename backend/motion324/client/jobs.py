"""Holds the jobs of one client that have not ended, and the events of each.

Events come as an iterator that ends when the job ends, fails, or loses its backend.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType

from motion324.core.errors import Cancelled, Motion324Error
from motion324.wire.protocol import (
    ExaminationEvent,
    FramesEvent,
    MeshEvent,
    ProgressEvent,
    Queued,
    ResultEvent,
    RigEvent,
)
from motion324.wire.transport import TICK

LastEvent = ResultEvent | ExaminationEvent | MeshEvent | RigEvent
_KEPT_CANCELLATIONS = 64


Event = Queued | ProgressEvent | FramesEvent | LastEvent

PREVIEW_BYTES = 256 << 20  # previews that nobody has looked at yet; more are left out


class JobEvents(Iterator[Event]):
    """The events of one job. One thread iterates; another may cancel. Whoever stops early closes it, which cancels the
    job; it is a context manager for that.

    A slow consumer sees every final frame, but of progress only the newest, and not every preview.
    """

    def __init__(self, job_id: str, cancel: Callable[[str], None]) -> None:
        self.job_id = job_id
        self._cancel_job = cancel
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._preview_bytes = 0
        self._error: Motion324Error | None = None
        self._over = False  # no more events come after those in _events

    def __iter__(self) -> JobEvents:
        return self

    def __next__(self) -> Event:
        """The next event. Raises StopIteration after the last one, a LastEvent, or the Motion324Error that ended the
        job.
        """
        with self._changed:
            while not self._events:
                if self._error:
                    raise self._error
                if self._over:
                    raise StopIteration
                # The client fails this job when the backend is lost or silent, so that this loop ends.
                self._changed.wait(TICK)
            return self._take()

    def poll(self) -> Event | None:
        """The next event if there is one already; None otherwise. Raises as __next__ does."""
        with self._changed:
            if not self._events and not self._error and not self._over:
                return None
        return next(self)

    def close(self) -> None:
        """Cancels the job, unless it has ended."""
        with self._changed:
            over = self._over
            self._over = True
            self._events.clear()
            self._changed.notify_all()
        if not over:
            self._cancel_job(self.job_id)

    def __enter__(self) -> JobEvents:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def over(self) -> bool:
        """Whether no more events come after those that wait to be taken."""
        with self._changed:
            return self._over

    def add(self, event: Event) -> None:
        """Called by the client as a message comes."""
        with self._changed:
            if self._over:
                return
            if isinstance(event, FramesEvent) and not event.final:
                if self._preview_bytes >= PREVIEW_BYTES:
                    return
                self._preview_bytes += event.positions.nbytes
            if self._events and type(event) is type(self._events[-1]) and isinstance(event, ProgressEvent | Queued):
                self._events.pop()
            self._events.append(event)
            self._over = isinstance(event, LastEvent)
            self._changed.notify_all()

    def fail(self, error: Motion324Error) -> None:
        """Ends the events with an error, once those that have come are consumed."""
        with self._changed:
            if not self._over:
                self._error, self._over = error, True
                self._changed.notify_all()

    def cancel(self) -> None:
        """Ends the events with Cancelled at once."""
        with self._changed:
            self._events.clear()
            self._error, self._over = Cancelled(), True
            self._changed.notify_all()

    def forget(self) -> None:
        """Ends the events without a word: the job was never sent."""
        with self._changed:
            self._over = True

    def _take(self) -> Event:
        event = self._events.popleft()
        if isinstance(event, FramesEvent) and not event.final:
            self._preview_bytes -= event.positions.nbytes
        return event


class PendingJobs:
    """All methods may be called by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[str, JobEvents] = {}
        self._cancelled_early: deque[str] = deque(maxlen=_KEPT_CANCELLATIONS)
        self._lost: Motion324Error | None = None

    def add(self, events: JobEvents) -> bool:
        """Whether the job is to be sent: one that was cancelled before is not, and its events are over.

        Raises the Motion324Error with which the connection ended, and ValueError for a job that is pending already.
        """
        with self._lock:
            if self._lost:
                raise self._lost
            if events.job_id in self._cancelled_early:
                events.cancel()
                return False
            if events.job_id in self._events:
                raise ValueError(f"job {events.job_id} has been sent before")
            self._events[events.job_id] = events
            return True

    def __bool__(self) -> bool:
        with self._lock:
            return bool(self._events)

    def get(self, job_id: str) -> JobEvents | None:
        """The events of the job; None where it has ended."""
        with self._lock:
            return self._events.get(job_id)

    def hand_out(self, event: Event) -> None:
        """Gives the event to whoever listens to its job, if that has not ended; it ends with a LastEvent."""
        events = self.take(event.job_id) if isinstance(event, LastEvent) else self.get(event.job_id)
        if events:
            events.add(event)

    def take(self, job_id: str) -> JobEvents | None:
        """The events of the job, which ends with this; None where it had ended."""
        with self._lock:
            return self._events.pop(job_id, None)

    def cancel(self, job_id: str) -> bool:
        """Ends the job's events with Cancelled. False where none is pending; one that comes later will not be sent."""
        with self._lock:
            events = self._events.pop(job_id, None)
            if events is None:
                self._cancelled_early.append(job_id)
                return False
        events.cancel()
        return True

    def send_if_pending(self, events: JobEvents, send: Callable[[], None]) -> None:
        """Calls `send` unless the job has ended; a cancel comes before that, or after it, but never meanwhile."""
        with self._lock:
            if self._events.get(events.job_id) is events:
                send()

    def end(self, error: Motion324Error) -> None:
        """To be called when the connection ends: all jobs, and all later ones, get this error."""
        with self._lock:
            self._lost = self._lost or error
            pending, self._events = list(self._events.values()), {}
        for events in pending:
            events.fail(error)
