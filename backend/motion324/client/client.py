"""Holds one connection to a backend, sends it jobs and hands their events to whoever asked.

    server = start_server(python, log_path=folder / "backend.log")
    with Client.connect(server.endpoint) as client:
        for event in client.animate(AnimateRequest.of(mesh, video, AnimateOptions())):
            ...  # Queued, ProgressEvent, FramesEvent, and last a ResultEvent
        found = client.examine(ExamineRequest(video))
    server.stop()

Every wait has a limit, and a backend that died or hangs becomes a Motion324Error. Needs the standard library and numpy.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from motion324.client.file_transfer import FileTransfer
from motion324.client.jobs import Event, JobEvents, PendingJobs
from motion324.client.sending import JobSender, Questions
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.result import Examination, MadeMesh
from motion324.core.rigs.rig import RiggedMotion
from motion324.wire.connection import Connection, ConnectionLost
from motion324.wire.framing import UnusableMessage
from motion324.wire.handshake import Endpoint, open_connection
from motion324.wire.inbox import Inbox
from motion324.wire.outbox import Outbox
from motion324.wire.protocol import (
    AnimateRequest,
    Done,
    ErrorMessage,
    ExaminationEvent,
    ExamineRequest,
    Goodbye,
    Heartbeat,
    Hello,
    JobRequest,
    MeshEvent,
    MeshRequest,
    Message,
    RigEvent,
    RigRequest,
    Seen,
    Shutdown,
    Status,
    StatusRequest,
    Unload,
    UploadReceived,
    from_wire,
)
from motion324.wire.transport import TICK

Last = TypeVar("Last", ExaminationEvent, MeshEvent, RigEvent)
log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 60.0  # a backend that has sent nothing for so long, not even a heartbeat, hangs
_SLEEP_SECONDS = 5.0


class Client:
    """One connection to a backend. All methods may be called by any thread; none of them touches Blender.

    backend: what the backend said about itself when it was connected.
    """

    def __init__(
        self, connection: Connection, backend: Hello, endpoint: Endpoint, heartbeat: float, silence: float
    ) -> None:
        self.backend = backend
        self._endpoint = endpoint
        self._connection = connection
        self._outbox = Outbox(connection, f"backend {endpoint}")
        self._jobs = PendingJobs()
        self._inbox = Inbox(connection, self._outbox)
        self._questions = Questions(endpoint, self._outbox.post, lambda: connection.last_heard)
        self._files = FileTransfer(self._questions.ask, self._outbox, self._jobs)
        self._sender = JobSender(endpoint, self._outbox, self._jobs, self._files)
        self._ending = threading.Lock()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._read_messages, name=f"backend {endpoint} reader", daemon=True),
            threading.Thread(
                target=self._keep_alive, args=(heartbeat, silence), name=f"backend {endpoint} heartbeat", daemon=True
            ),
        ]
        for thread in self._threads:
            thread.start()

    @classmethod
    def connect(
        cls,
        endpoint: Endpoint,
        timeout: float = 10.0,
        *,
        program: str = "motion324 client",
        heartbeat: float = HEARTBEAT_SECONDS,
        silence: float = SILENCE_SECONDS,
    ) -> Client:
        """program: who connects, for the backend's log. heartbeat: seconds between two signs of life.

        Raises Motion324Error: "backend-unreachable", "backend-refused" (wrong secret), "not-a-backend",
        "version-mismatch" (its hint says which side to update), "backend-timeout", "backend-lost".
        """
        connection, backend = open_connection(endpoint, timeout, program)
        return cls(connection, backend, endpoint, heartbeat, silence)

    @property
    def is_busy(self) -> bool:
        """Whether a job or a look of this very connection has not ended; those of other programs do not count."""
        return bool(self._jobs)

    def animate(self, request: AnimateRequest) -> JobEvents:
        """Sends the job at once, and returns its events: Queued and ProgressEvent any number of times, FramesEvent as
        positions become known, and a ResultEvent last. Until the first of them the request's arrays must not change.

        The iterator raises the Motion324Error that ended the job: what the backend reported, Cancelled, or
        "backend-lost". Closing it before the end cancels the job.
        Raises Motion324Error("message-too-large", "backend-lost") where the job cannot be sent.
        """
        return self._sender.start(request)

    def start_examining(self, request: ExamineRequest) -> JobEvents:
        """Sends the request at once, and returns its events, as `animate` does: the last is an ExaminationEvent."""
        return self._sender.start(request)

    def examine(self, request: ExamineRequest, watch: Callable[[Event], None] = lambda event: None) -> Examination:
        """Takes a quick look at a video, and waits for what it tells; another thread may `cancel(request.job_id)`.

        The backend does it beside an animation job that runs; several examinations are done one after the other.
        watch: called with every Queued and ProgressEvent; what it raises ends the examination, and passes.
        Raises the Motion324Error that the backend reported, Cancelled, or "backend-lost".
        """
        return self._last(request, ExaminationEvent, watch).examination

    def make_mesh(self, request: MeshRequest, watch: Callable[[Event], None] = lambda event: None) -> MadeMesh:
        """Has a mesh made of what a video's first frame shows, and waits for it, as `examine` does."""
        return self._last(request, MeshEvent, watch).made

    def rig(self, request: RigRequest, watch: Callable[[Event], None] = lambda event: None) -> RiggedMotion:
        """Has bones keyed, or a rig made, after a trajectory, and waits for it, as `examine` does."""
        return self._last(request, RigEvent, watch).rigged

    def _last(self, request: JobRequest, kind: type[Last], watch: Callable[[Event], None]) -> Last:
        """Sends the request and waits for the event of this kind, which is its last; watch gets those before."""
        with self._sender.start(request) as events:
            for event in events:
                if isinstance(event, kind):
                    return event
                watch(event)
        raise AssertionError(f"a job ends with its {kind.kind} or an error")

    def cancel(self, job_id: str) -> None:
        """Ends a job's events with Cancelled at once, and has the backend stop it. A job that has ended is left alone;
        one that has not been sent yet will not be.
        """
        self._sender.cancel(job_id)

    def stands(self, patience: float = 10.0) -> bool:
        """Whether the connection still serves: it does while a job of this client goes on, since then its end is
        noticed anyway; otherwise if anything at all comes within `patience` seconds of a question.
        """
        if self._ended.is_set() or self.is_busy:
            return not self._ended.is_set()
        asked = time.monotonic()
        try:
            self.status(patience)
        except Motion324Error:
            return not self._ended.is_set() and self._connection.last_heard > asked
        return True

    def status(self, timeout: float = 10.0) -> Status:
        """What the backend is and does. Raises Motion324Error("backend-timeout", "backend-slow", "backend-lost")."""
        answer = self._questions.ask(StatusRequest(), timeout)
        assert isinstance(answer, Status)
        return answer

    def unload(self, timeout: float = 60.0, *, keep_on_cpu: bool = False) -> None:
        """Frees the memory of loaded reconstructors, or with keep_on_cpu that of the GPU only.

        Raises Motion324Error("backend-busy") while a job runs.
        """
        self._questions.ask(Unload(keep_on_cpu=keep_on_cpu), timeout)

    def shutdown(self, timeout: float = 10.0) -> None:
        """Ends the backend, and with it every job."""
        self._questions.ask(Shutdown(), timeout)

    def close(self) -> None:
        """Ends the connection; jobs that still run are cancelled by that. May be called twice."""
        error = Motion324Error("backend-lost", "The connection to the backend was closed.", exit_code=EXIT_BACKEND)
        self._outbox.post(Goodbye())
        self._end(error, flush=0.5)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(2 * TICK)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read_messages(self) -> None:
        try:
            while True:
                try:
                    self._hand_out(from_wire(*self._inbox.receive()))
                except UnusableMessage as error:
                    if not self._fail(error.about, error):
                        raise
        except ConnectionLost as error:
            reason = str(error)
        except Motion324Error as error:
            reason = error.sentence
        except Exception as error:
            log.exception("reading from the backend failed")
            reason = f"{type(error).__name__}: {error}"
        self._lose(reason)

    def _hand_out(self, message: Message) -> None:
        if isinstance(message, Event):
            self._jobs.hand_out(message)
        elif isinstance(message, UploadReceived):
            self._files.received(message.job_id, message.received)
        elif isinstance(message, Status | Done | Seen):
            self._questions.answer(message.question_id, message)
        elif isinstance(message, ErrorMessage):
            self._hand_out_error(message)

    def _hand_out_error(self, message: ErrorMessage) -> None:
        error = message.to_error()
        if message.about:
            self._fail(message.about, error)
        else:
            self._end(error)

    def _fail(self, job_or_question: str, error: Motion324Error) -> bool:
        """Ends what has that id; returns whether it can be anything."""
        events = self._jobs.take(job_or_question)
        if events:
            events.fail(error)
        elif job_or_question:
            self._questions.fail(job_or_question, error)
        return bool(job_or_question)

    def _keep_alive(self, heartbeat: float, silence: float) -> None:
        before = awake_since = time.monotonic()
        while not self._ended.wait(heartbeat):
            self._outbox.post(Heartbeat(), replaces="heartbeat")
            now = time.monotonic()
            if now - before > heartbeat + _SLEEP_SECONDS:  # the machine slept, or Blender let no thread run
                awake_since = now
            before = now
            quiet = now - max(self._connection.last_heard, awake_since)
            if quiet > max(silence, 2 * heartbeat):
                self._lose(f"it has given no sign of life for {quiet:.0f} s")

    def _lose(self, reason: str) -> None:
        """Ends everything, with what is known about how the backend ended."""
        if self._ended.is_set():
            return
        last_words = self._endpoint.last_words() if self._endpoint.last_words else ""
        self._end(
            Motion324Error(
                "backend-lost",
                f"The connection to the backend at {self._endpoint} was lost: {reason}.",
                last_words or "Start the backend again, then repeat the job.",
                EXIT_BACKEND,
            )
        )

    def _end(self, error: Motion324Error, flush: float = 0.0) -> None:
        with self._ending:
            if not self._ended.is_set():
                self._files.end()
            self._ended.set()
        self._jobs.end(error)
        self._questions.end(error)
        self._outbox.close(flush)
