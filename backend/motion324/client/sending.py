"""Sends what a client asks: questions, whose answers are waited for, and jobs, each with the files that the backend
does not see.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable

from motion324.client.file_transfer import FileTransfer, may_need_files
from motion324.client.jobs import JobEvents, PendingJobs
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.wire.handshake import Endpoint
from motion324.wire.outbox import Outbox
from motion324.wire.protocol import AnyVideoRequest, Cancel, JobRequest, Message, Question, SeesFiles, VideoRequest

log = logging.getLogger(__name__)


class Questions:
    """Those of one connection. All methods may be called by any thread. post: adds a message to those that go out.
    last_heard: time.monotonic() when anything came last.
    """

    def __init__(self, endpoint: Endpoint, post: Callable[[Message], None], last_heard: Callable[[], float]) -> None:
        self._last_heard = last_heard
        self._endpoint = endpoint
        self._post = post
        self._lock = threading.Lock()
        self._waiting: dict[str, _Answer] = {}
        self._lost: Motion324Error | None = None

    def ask(self, question: Question | SeesFiles, timeout: float) -> Message:
        """The answer. Raises Motion324Error: the one that the backend answered with, "backend-timeout" or, where other
        things came meanwhile, "backend-slow"; or that with which the connection ended.
        """
        answer = _Answer()
        asked = time.monotonic()
        with self._lock:
            if self._lost:
                raise self._lost
            self._waiting[question.question_id] = answer
        try:
            self._post(question)
            if not answer.come.wait(timeout):
                sentence = (
                    f"The backend at {self._endpoint} did not answer '{question.kind}' within {timeout:g} seconds."
                )
                if self._last_heard() > asked:
                    hint = "It is alive, but busy, or the line to it is slow; try again in a while."
                    raise Motion324Error("backend-slow", sentence, hint, EXIT_BACKEND)
                hint = "Stop the backend and start it again."
                raise Motion324Error("backend-timeout", sentence, hint, EXIT_BACKEND)
        finally:
            with self._lock:
                self._waiting.pop(question.question_id, None)
        if answer.error:
            raise answer.error
        assert answer.message is not None
        return answer.message

    def answer(self, question_id: str, message: Message) -> None:
        """To be called when an answer comes; one that nobody waits for any more is forgotten."""
        with self._lock:
            answer = self._waiting.get(question_id)
        if answer:
            answer.message = message
            answer.come.set()

    def fail(self, question_id: str, error: Motion324Error) -> None:
        """To be called when an error comes that may be an answer."""
        with self._lock:
            answer = self._waiting.get(question_id)
        if answer:
            answer.error = error
            answer.come.set()

    def end(self, error: Motion324Error) -> None:
        """To be called when the connection ends: all questions, and all later ones, get this error."""
        with self._lock:
            self._lost = self._lost or error
            waiting = list(self._waiting)
        for question_id in waiting:
            self.fail(question_id, error)


class _Answer:
    """The place where the answer to one question arrives."""

    def __init__(self) -> None:
        self.come = threading.Event()
        self.message: Message | None = None
        self.error: Motion324Error | None = None


class JobSender:
    """Of one connection. All methods may be called by any thread."""

    def __init__(self, endpoint: Endpoint, outbox: Outbox, jobs: PendingJobs, files: FileTransfer) -> None:
        self._endpoint = endpoint
        self._outbox = outbox
        self._jobs = jobs
        self._files = files

    def start(self, request: JobRequest) -> JobEvents:
        """Sends the job at once, or after its files, and returns its events.

        Raises Motion324Error("message-too-large", "backend-lost") where it cannot be sent.
        """
        events = JobEvents(request.job_id, self.cancel)
        if not self._jobs.add(events):
            return events
        if isinstance(request, VideoRequest) and may_need_files(request, self._endpoint.is_same_machine):
            name = f"backend {self._endpoint} sender"
            threading.Thread(target=self._send_with_files, args=(request, events), name=name, daemon=True).start()
            return events
        try:
            self._outbox.post(request)
        except BaseException:
            self._jobs.take(request.job_id)
            events.forget()
            raise
        return events

    def cancel(self, job_id: str) -> None:
        """Ends a job's events with Cancelled at once, and has the backend stop it. A job that has ended is left alone;
        one that has not been sent yet will not be.
        """
        if self._jobs.cancel(job_id):
            self._outbox.drop(job_id)
            self._outbox.post(Cancel(job_id))

    def _send_with_files(self, request: AnyVideoRequest, events: JobEvents) -> None:
        """On a thread of its own: asks which files the backend needs, sends them, then the request."""
        try:
            request = self._files.bring(request, events)
            self._jobs.send_if_pending(events, functools.partial(self._outbox.post, request))
        except Motion324Error as error:
            self._give_up(request.job_id, error)
        except Exception as error:
            log.exception("sending the files of %s failed", request.doing)
            sentence = f"The files for {request.doing} could not be sent ({type(error).__name__}: {error})."
            self._give_up(request.job_id, Motion324Error("internal", sentence, "Please report it with the log."))

    def _give_up(self, job_id: str, error: Motion324Error) -> None:
        """Ends a job that could not be sent, and has the backend forget what it has of it."""
        events = self._jobs.take(job_id)
        if events:
            self._outbox.drop(job_id)
            self._outbox.post(Cancel(job_id))
            events.fail(error)
