"""Queues one kind of jobs: one runs, the others wait in line."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_INTERNAL, Cancelled, Motion324Error
from motion324.core.files.write_aside import system_error
from motion324.core.jobs.job_pace import JobPace
from motion324.core.jobs.job_plan import JobPlan
from motion324.core.motion.doubt import doubt_of
from motion324.core.processes.machine import give_back, is_out_of_memory, slower_by_others
from motion324.reconstructors.interface import FrameBatch
from motion324.wire.message import BulkMessage
from motion324.wire.outbox import Outbox
from motion324.wire.protocol import ErrorMessage, FramesEvent, JobRequest, Message, ProgressEvent, Queued

log = logging.getLogger(__name__)

MAX_WAITING_JOBS = 32
REPORT_SECONDS = 0.1  # between two progress messages of the same stage


class Job:
    """One job and the client that asked for it. `answered`: it has its result or its error, and needs no other.

    dispose: called once the job is over or given up, whether or not it ran.
    """

    def __init__(
        self,
        request: JobRequest,
        outbox: Outbox,
        dispose: Callable[[], None] = lambda: None,
    ) -> None:
        self.request = request
        self.outbox = outbox
        self.dispose = dispose
        self.cancelled = threading.Event()
        self.last_sign = time.monotonic()  # when it last reported anything
        self.place = -1
        self.answered = False
        self._pace = JobPace(slower_by_others())
        self._reported = ("", 0.0)
        self._match: float | None = None

    @property
    def id(self) -> str:
        return self.request.job_id

    def check(self) -> None:
        """Raises Cancelled where somebody has asked to stop."""
        self.last_sign = time.monotonic()
        if self.cancelled.is_set():
            raise Cancelled()

    def on_plan(self, plan: JobPlan) -> None:
        """What remains is that of the whole plan from here on."""
        self._pace.expect(plan)

    def on_match(self, overlap: float) -> None:
        """Goes out with all reports of progress from here on, of which only the newest is sure to arrive."""
        self._match = overlap

    def progress(self, stage: str, done: int, total: int) -> None:
        self.check()
        now = time.monotonic()
        last_stage, last_time = self._reported
        if stage == last_stage and done < total and now - last_time < REPORT_SECONDS:
            return
        self._reported = (stage, now)
        remaining = self._pace.update(stage, done, total, now)
        event = ProgressEvent(self.id, stage, max(int(done), 0), max(int(total), 0), remaining, self._match)
        self.outbox.post(event, replaces=f"progress {self.id}")

    def on_frames(self, batch: FrameBatch) -> None:
        """Hands a copy on, since a solver goes on refining its own array; previews may be left out."""
        self.check()
        event = FramesEvent(
            self.id,
            np.array(batch.indices, np.int64),
            np.array(batch.positions, np.float32, order="C"),
            batch.final,
            None if batch.expected_error is None else doubt_of(batch.expected_error),
        )
        if batch.final:
            self.outbox.put(event, self.check)
        else:
            self.outbox.offer(event)


class JobQueue:
    """Runs jobs on one worker thread in the order in which they came. All methods may be called by any thread.

    run: does a job, and returns the message that ends it; it calls job.progress at least four times a second, and lets
    pass what job.progress and job.on_frames raise. name: of the thread.
    """

    def __init__(self, run: Callable[[Job], BulkMessage], log_path: str, name: str) -> None:
        self._run_job = run
        self._log_path = log_path
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._chores: deque[Callable[[], None]] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Raises Motion324Error("queue-full"), or "bad-message" for an id that is already in the queue."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING_JOBS:
                raise Motion324Error(
                    "queue-full",
                    f"{len(self._waiting)} jobs already wait for the backend.",
                    "Wait until some have ended, or cancel them.",
                    EXIT_BACKEND,
                )
            if self._find(job.id) is not None:
                raise Motion324Error("bad-message", f"There already is a job {job.id}.", exit_code=EXIT_BACKEND)
            self._waiting.append(job)
            self._announce_places()
            self._changed.notify_all()

    def cancel(self, job_id: str, outbox: Outbox) -> None:
        """Cancels the job of that id if it came through that outbox; its client is told at once, while a running job
        stops at its next report. An unknown id is ignored: the job may just have ended.
        """
        with self._changed:
            job = self._find(job_id)
            if job is not None and job.outbox is outbox:
                self._cancel(job)
                self._answer(job, ErrorMessage.of(job.id, Cancelled(), self._log_path))

    def cancel_all_of(self, outbox: Outbox) -> None:
        """Cancels every job that came through that outbox, whose reader has gone."""
        with self._changed:
            for job in [*self._waiting, *([self._running] if self._running else [])]:
                if job.outbox is outbox:
                    job.answered = True
                    self._cancel(job)

    def do_when_idle(self, chore: Callable[[], None]) -> bool:
        """Runs `chore` on the worker thread. Returns False, without running it, where a job runs or waits; one that is
        cancelled already is waited for.
        """
        with self._changed:
            busy = self._running is not None and not self._running.cancelled.is_set()
            if busy or self._waiting or self._closed:
                return False
            self._chores.append(chore)
            self._changed.notify_all()
            return True

    def state(self) -> tuple[str, int]:
        """The id of the job that runs, or "", and how many wait."""
        with self._changed:
            return (self._running.id if self._running else ""), len(self._waiting)

    def fail_stalled(self, limit: float) -> bool:
        """Whether the running job has reported nothing for `limit` seconds; its client is told then."""
        with self._changed:
            job = self._running
            if job is None or time.monotonic() - job.last_sign < limit:
                return False
            log.error("job %s has reported nothing for %g s", job.id, limit)
            error = Motion324Error(
                "job-stalled",
                f"{_begun(job.request.doing)} stood still for {limit:g} seconds, so the backend gave it up.",
                "Start the job again; if it happens again, report it with the log.",
                EXIT_BACKEND,
            )
            self._cancel(job)
            self._answer(job, ErrorMessage.of(job.id, error, self._log_path))
            return True

    def close(self, timeout: float) -> bool:
        """Cancels everything and takes no more jobs. Returns whether the worker ended within `timeout` seconds."""
        error = Motion324Error("backend-ended", "The backend was shut down.", exit_code=EXIT_BACKEND)
        with self._changed:
            self._closed = True
            for job in [*self._waiting, *([self._running] if self._running else [])]:
                self._cancel(job)
                self._answer(job, ErrorMessage.of(job.id, error, self._log_path))
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _find(self, job_id: str) -> Job | None:
        for job in (self._running, *self._waiting):
            if job is not None and job.id == job_id:
                return job
        return None

    def _cancel(self, job: Job) -> None:
        job.cancelled.set()
        if job in self._waiting:
            self._waiting.remove(job)
            job.dispose()
            self._announce_places()

    def _answer(self, job: Job, message: Message) -> None:
        if not job.answered:
            job.answered = True
            job.outbox.drop(job.id)  # frames that wait would only hold up what others wait for
            job.outbox.post(message)

    def _announce_places(self) -> None:
        ahead = 1 if self._running else 0
        for place, job in enumerate(self._waiting, start=ahead):
            self._announce_place(job, place)

    def _announce_place(self, job: Job, place: int) -> None:
        if place != job.place:
            job.place = place
            job.outbox.post(Queued(job.id, place), replaces=f"queued {job.id}")

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = None
                while not self._waiting and not self._chores and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                if self._chores:
                    chore, job = self._chores.popleft(), None
                else:
                    chore, job = None, self._waiting.popleft()
                    self._running = job
                    job.last_sign = time.monotonic()
                    self._announce_place(job, 0)
                    self._announce_places()
            if chore is not None:
                chore()
            if job is not None:
                self._run(job)
            del chore, job  # so that a finished job's arrays are freed while the worker waits
            with self._changed:
                waits = bool(self._waiting or self._chores or self._closed)
            if not waits:
                give_back()

    def _run(self, job: Job) -> None:
        request, began = job.request, time.monotonic()
        log.info("job %s: %s", job.id, request.doing)
        try:
            job.outbox.put(self._run_job(job), job.check)
            job.answered = True
            log.info("job %s: done after %.1f s", job.id, time.monotonic() - began)
        except BaseException as exception:
            error = explain(exception, request)
            if isinstance(error, Cancelled):
                log.info("job %s: cancelled after %.1f s", job.id, time.monotonic() - began)
            else:
                log.error("job %s: %s", job.id, error, exc_info=exception)
            with self._changed:
                self._answer(job, ErrorMessage.of(job.id, error, self._log_path))
        finally:
            job.dispose()


def explain(exception: BaseException, request: JobRequest) -> Motion324Error:
    """What a person is told about an exception that ended a job."""
    if isinstance(exception, Motion324Error):
        return exception
    if is_out_of_memory(exception):
        return Motion324Error(
            "out-of-memory",
            f"The backend ran out of memory while {request.doing}.",
            "Use fewer frames of the video or a mesh with fewer vertices, or close other programs.",
            EXIT_BACKEND,
        )
    return system_error(exception) or Motion324Error(
        "internal",
        f"{_begun(request.doing)} failed by a defect of the backend "
        f"({type(exception).__name__}: {str(exception)[:300]}).",
        "Please report it with the log, which has the details.",
        EXIT_INTERNAL,
    )


def _begun(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]
