"""Keeps the jobs of one client that have not ended, hands them their events, and ends them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from motion324.client.job_events import Event, JobEvents, LastEvent
from motion324.core.errors import Motion324Error

_KEPT_CANCELLATIONS = 64


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
