"""Sends a client's jobs, each with the files that the backend does not see, and cancels them."""

from __future__ import annotations

import functools
import logging
import threading

from motion324.client.file_transfer import FileTransfer, may_need_files
from motion324.client.jobs import JobEvents, PendingJobs
from motion324.core.errors import Motion324Error
from motion324.wire.handshake import Endpoint
from motion324.wire.outbox import Outbox
from motion324.wire.protocol import Cancel, JobRequest

log = logging.getLogger(__name__)


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
        if may_need_files(request, self._endpoint.is_same_machine):
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

    def _send_with_files(self, request: JobRequest, events: JobEvents) -> None:
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
