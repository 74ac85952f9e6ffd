"""Serves one client of the backend, from the handshake to the end of its connection."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.write_aside import system_error
from motion324.core.processes.machine import is_out_of_memory
from motion324.server.file_transfer import FileTransfer
from motion324.server.job_queue import Job, JobQueue
from motion324.wire.connection import Connection, ConnectionLost
from motion324.wire.framing import UnusableMessage, about
from motion324.wire.handshake import accept_client
from motion324.wire.inbox import Inbox
from motion324.wire.message import MAX_ID, BulkMessage
from motion324.wire.outbox import Outbox
from motion324.wire.protocol import (
    AnimateRequest,
    AnyVideoRequest,
    Cancel,
    Done,
    ErrorMessage,
    ExamineRequest,
    Goodbye,
    Heartbeat,
    Hello,
    MeshRequest,
    Message,
    Question,
    RigRequest,
    Seen,
    SeesFiles,
    Shutdown,
    Status,
    StatusRequest,
    Unload,
    Upload,
    UploadPart,
    UploadReceived,
    from_wire,
)

log = logging.getLogger(__name__)

MAX_STATUS_THREADS = 4
KEPT_CANCELLATIONS = 256  # ids of jobs that were cancelled, perhaps before they came
GOODBYE_SECONDS = 1.0  # for a client to read why its connection is closed


@dataclass(frozen=True)
class Services:
    """What a client may make use of. describe and unload: as given to motion324.server.server.serve."""

    animations: JobQueue
    examinations: JobQueue
    meshes: JobQueue
    rigs: JobQueue
    describe: Callable[[], dict[str, Any]]
    unload: Callable[[bool], None]
    shut_down: Callable[[], None]
    log_path: str
    started: float
    files: FileTransfer

    @property
    def queues(self) -> tuple[JobQueue, ...]:
        return self.animations, self.examinations, self.meshes, self.rigs


class Peer:
    """Serves one connection on a thread of its own. Until the secret is proven, `trusted` is False."""

    def __init__(self, connection: Connection, name: str, services: Services) -> None:
        self.connection = connection
        self.name = name
        self.trusted = False
        self._services = services
        self._outbox: Outbox | None = None
        self._cancelled: deque[str] = deque(maxlen=KEPT_CANCELLATIONS)
        self._said_goodbye = False
        self._refusal: Motion324Error | None = None
        self._status_slots = threading.Semaphore(MAX_STATUS_THREADS)

    def refuse(self, why: Motion324Error) -> None:
        """To be called before `serve`: the client is told why, once it has proven the secret, and is then dropped."""
        self._refusal = why

    def serve(self, token: str, handshake_timeout: float, on_end: Callable[[Peer], None]) -> None:
        """Until the connection ends, however it does; cancels this client's jobs then, and calls on_end."""
        own = Hello("motion324 backend", pid=os.getpid(), log_path=self._services.log_path)
        try:
            client = accept_client(self.connection, token, own, handshake_timeout)
            log.info("%s: connected, %s", self.name, client.program)
            self._outbox = Outbox(self.connection, self.name)
            if self._refusal is not None:
                self._outbox.post(ErrorMessage.of("", self._refusal, self._services.log_path))
                self._outbox.flush(GOODBYE_SECONDS)
                self.connection.drain(GOODBYE_SECONDS)
                return
            self.trusted = True
            self._read_messages(self._outbox)
        except ConnectionLost as error:
            log.info("%s: %s", self.name, error)
        except Motion324Error as error:
            log.warning("%s: %s", self.name, error)
        except Exception:
            log.exception("%s: the connection is closed by a defect", self.name)
        finally:
            self.close()
            on_end(self)

    def close(self, flush: float = 0.0) -> None:
        """Ends the connection, after `flush` seconds at most for what is still to be written."""
        if self._outbox is None:
            self.connection.close()
            return
        for queue in self._services.queues:
            queue.cancel_all_of(self._outbox)
        self._services.files.leave(self, forget=self._said_goodbye)
        self._outbox.close(flush)

    def _read_messages(self, outbox: Outbox) -> None:
        inbox = Inbox(self.connection, outbox)
        while True:
            try:
                header, arrays = inbox.receive()
            except UnusableMessage as error:
                self._refuse(error, error.about, outbox)
                continue
            except Motion324Error as error:  # what follows in the stream cannot be found any more
                outbox.post(ErrorMessage.of("", error, self._services.log_path))
                outbox.flush(GOODBYE_SECONDS)
                self.connection.drain(GOODBYE_SECONDS)
                raise
            try:
                self._obey(from_wire(header, arrays), outbox)
            except Motion324Error as error:
                self._refuse(error, about(header), outbox)
            except Exception as defect:  # one message's leaves the others alone
                log.error("%s: %s failed", self.name, header.get("kind"), exc_info=defect)
                self._refuse(_explained(defect), about(header), outbox)
            del header, arrays  # so that a request's arrays live only as long as its job

    def _refuse(self, error: Motion324Error, job_or_question: str, outbox: Outbox) -> None:
        log.warning("%s: %s", self.name, error)
        outbox.post(ErrorMessage.of(job_or_question[:MAX_ID], error, self._services.log_path))

    def _obey(self, message: Message, outbox: Outbox) -> None:
        if isinstance(message, BulkMessage) and message.job_id in self._cancelled:
            return  # the cancel has overtaken it
        if isinstance(message, AnimateRequest):
            self._submit(self._services.animations, message, outbox)
        elif isinstance(message, ExamineRequest):
            self._submit(self._services.examinations, message, outbox)
        elif isinstance(message, MeshRequest):
            self._submit(self._services.meshes, message, outbox)
        elif isinstance(message, RigRequest):
            self._services.rigs.submit(Job(message, outbox))
        elif isinstance(message, Cancel):
            for queue in self._services.queues:
                queue.cancel(message.job_id, outbox)
            self._cancelled.append(message.job_id)
            self._services.files.interrupt(self, message.job_id)
            outbox.drop(message.job_id)
        elif isinstance(message, Upload):
            outbox.post(UploadReceived(message.job_id, self._services.files.begin(self, message)))
        elif isinstance(message, UploadPart):
            received = self._services.files.write(self, message.job_id, message.offset, message.data)
            if received is not None:
                outbox.post(UploadReceived(message.job_id, received), replaces=f"upload {message.job_id}")
        elif isinstance(message, SeesFiles):
            outbox.post(Seen(message.question_id, self._services.files.which_are_here(self, message.keys)))
        elif isinstance(message, Heartbeat):
            outbox.post(message, replaces="heartbeat")
        elif isinstance(message, Goodbye):
            self._said_goodbye = True
        elif isinstance(message, StatusRequest):
            self._tell_status(message, outbox)
        elif isinstance(message, Unload):
            self._unload(message, outbox)
        elif isinstance(message, Shutdown):
            log.info("%s: asks to shut down", self.name)
            outbox.post(Done(message.question_id))
            self._services.shut_down()
        else:
            raise Motion324Error(
                "bad-message", f"A message '{message.kind}' does not go to the backend.", exit_code=EXIT_BACKEND
            )

    def _submit(self, queue: JobQueue, request: AnyVideoRequest, outbox: Outbox) -> None:
        """With the files that were sent for it, which it needs until it ends."""
        request, release = self._services.files.bring_into(self, request)
        try:
            queue.submit(Job(request, outbox, release))
        except BaseException:
            release()
            raise

    def _tell_status(self, question: StatusRequest, outbox: Outbox) -> None:
        """On a thread of its own, since looking at a device may take long, and a cancel must not wait for that."""
        if not self._status_slots.acquire(blocking=False):
            raise Motion324Error(
                "backend-busy", "The backend is still answering earlier questions.", "Wait a little.", EXIT_BACKEND
            )

        def answer() -> None:
            try:
                outbox.post(self._status(question))
            except Exception as exception:
                outbox.post(self._defect(question, exception))
            finally:
                self._status_slots.release()

        threading.Thread(target=answer, name=f"{self.name} status", daemon=True).start()

    def _status(self, question: StatusRequest) -> Status:
        details = dict(self._services.describe())
        running, waiting = self._services.animations.state()
        return Status(
            question_id=question.question_id,
            device=str(details.pop("device", "")),
            memory=details.pop("memory", {}),
            reconstructors=tuple(details.pop("reconstructors", ())),
            running=running,
            queued=waiting,
            pid=os.getpid(),
            uptime=time.monotonic() - self._services.started,
            details=details,
        )

    def _unload(self, question: Unload, outbox: Outbox) -> None:
        def answer() -> None:
            try:
                self._services.unload(question.keep_on_cpu)
                outbox.post(Done(question.question_id))
            except Exception as exception:
                outbox.post(self._defect(question, exception))

        if not self._services.animations.do_when_idle(answer):
            raise Motion324Error(
                "backend-busy",
                "The backend cannot free its memory while it animates.",
                "Wait until the job has ended, or cancel it.",
                EXIT_BACKEND,
            )

    def _defect(self, question: Question, exception: Exception) -> ErrorMessage:
        """The answer to a question that went wrong."""
        log.error("%s: %s failed", self.name, question.kind, exc_info=exception)
        return ErrorMessage.of(question.question_id, _explained(exception), self._services.log_path)


def _explained(exception: Exception) -> Motion324Error:
    """What a client is told about an exception that nobody foresaw."""
    if isinstance(exception, Motion324Error):
        return exception
    if is_out_of_memory(exception):
        return Motion324Error("out-of-memory", "The backend ran out of memory.", "Close other programs.", EXIT_BACKEND)
    return system_error(exception) or Motion324Error(
        "internal",
        f"The backend could not answer ({type(exception).__name__}: {str(exception)[:300]}).",
        "Please report it with the log, which has the details.",
    )
