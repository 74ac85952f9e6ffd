"""Defines the protocol: its version number, the general messages, and the registry of all messages by their kind.

From Blender: Hello, Cancel, StatusRequest, Unload, Shutdown, Heartbeat, Goodbye, and the requests of
motion324.wire.requests. From the backend: Hello, ErrorMessage, Status, Done, Heartbeat, and the events of
motion324.wire.events. Both ways, where files have to be sent first: motion324.wire.file_messages.
How they become bytes: motion324.wire.framing. Which goes out first: motion324.wire.outbox. Who may speak at all:
motion324.wire.handshake.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from motion324 import __version__
from motion324.core.errors import EXIT_BACKEND, EXIT_INTERNAL, Cancelled, Motion324Error
from motion324.wire.events import ExaminationEvent, FramesEvent, MeshEvent, ProgressEvent, Queued, ResultEvent
from motion324.wire.file_messages import Seen, SeesFiles, Upload, UploadPart, UploadReceived
from motion324.wire.message import MAX_ID, MAX_TEXT, Arrays, Message, MessageFields, new_id
from motion324.wire.requests import (
    AnimateRequest,
    AnyVideoRequest,
    Cancel,
    ExamineRequest,
    JobRequest,
    MeshRequest,
    VideoRequest,
)
from motion324.wire.rig_messages import RigEvent, RigRequest

__all__ = [
    "PROTOCOL_VERSION",
    "AnimateRequest",
    "AnyVideoRequest",
    "Cancel",
    "Done",
    "ErrorMessage",
    "ExaminationEvent",
    "ExamineRequest",
    "FramesEvent",
    "Goodbye",
    "Heartbeat",
    "Hello",
    "JobRequest",
    "MeshEvent",
    "MeshRequest",
    "Message",
    "ProgressEvent",
    "Question",
    "Queued",
    "ReportedError",
    "ResultEvent",
    "RigEvent",
    "RigRequest",
    "Seen",
    "SeesFiles",
    "Shutdown",
    "Status",
    "StatusRequest",
    "Unload",
    "Upload",
    "UploadPart",
    "UploadReceived",
    "VideoRequest",
    "from_wire",
    "to_wire",
]

PROTOCOL_VERSION = 7
# 1  hello, animate, cancel, status, unload, shutdown, heartbeat; queued, progress, frames, result, error, done
# 2  examine, examination; sees-files, seen, upload, upload-part, upload-received; a result's view is an object
# 3  make-mesh, mesh; the option video_fps
# 4  bulk in acknowledged pieces behind control messages; uploads by file, which go on where they were; goodbye
# 5  the option camera
# 6  rig, rigged
# 7  a result's doubt; pins in animate, and an earlier result that they correct


class ReportedError(Motion324Error):
    """An error that the backend reported. log_path: the backend's log, on the backend's machine."""

    def __init__(self, code: str, sentence: str, hint: str, exit_code: int, log_path: str) -> None:
        super().__init__(code, sentence, hint, exit_code)
        self.log_path = log_path


@dataclass(frozen=True)
class Hello(Message):
    """The first message each way. Its fields `protocol` and `version` never change their meaning.

    program: who speaks, for the log. pid and log_path: the backend's; 0 and "" from Blender.
    """

    kind: ClassVar[str] = "hello"
    program: str
    protocol: int = PROTOCOL_VERSION
    version: str = __version__
    pid: int = 0
    log_path: str = ""

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Hello:
        return cls(
            program=fields.text("program", 200) if fields.has("program") else "",
            protocol=fields.whole("protocol"),
            version=fields.text("version", 100),
            pid=fields.whole("pid") if fields.has("pid") else 0,
            log_path=fields.text("log_path") if fields.has("log_path") else "",
        )


@dataclass(frozen=True)
class Heartbeat(Message):
    """From Blender every few seconds; the backend answers each with one."""

    kind: ClassVar[str] = "heartbeat"

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Heartbeat:
        return cls()


@dataclass(frozen=True)
class Goodbye(Message):
    """The client closes the connection and will not come back: nothing has to be kept for it."""

    kind: ClassVar[str] = "goodbye"

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Goodbye:
        return cls()


@dataclass(frozen=True)
class Question(Message):
    """The base of messages that are answered by a Status, a Done or an ErrorMessage with the same id."""

    question_id: str = field(default_factory=new_id)

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Question:
        return cls(fields.text("question_id", MAX_ID))


@dataclass(frozen=True)
class StatusRequest(Question):
    """Answered by a Status."""

    kind: ClassVar[str] = "status-request"


@dataclass(frozen=True)
class Unload(Question):
    """Frees what loaded reconstructors hold in memory; refused while a job runs.

    keep_on_cpu: they move from the GPU to the CPU's memory instead, from where they are back at once.
    """

    kind: ClassVar[str] = "unload"
    keep_on_cpu: bool = False

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Unload:
        return cls(fields.text("question_id", MAX_ID), fields.flag("keep_on_cpu"))


@dataclass(frozen=True)
class Shutdown(Question):
    """Cancels every job and ends the backend."""

    kind: ClassVar[str] = "shutdown"


@dataclass(frozen=True)
class Done(Question):
    """The answer to Unload and Shutdown."""

    kind: ClassVar[str] = "done"


@dataclass(frozen=True)
class Status(Message):
    """What the backend is and does.

    device: what it computes on ("cpu", a GPU's name). memory: bytes by name. reconstructors: the loaded ones.
    running: the id of the job that runs, or "". queued: how many wait. uptime: in seconds.
    details: anything else that the backend describes, as plain JSON values.
    """

    kind: ClassVar[str] = "status"
    question_id: str
    device: str
    memory: dict[str, float]
    reconstructors: tuple[str, ...]
    running: str
    queued: int
    pid: int
    uptime: float
    details: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Status:
        return cls(
            question_id=fields.text("question_id", MAX_ID),
            device=fields.text("device"),
            memory=fields.record("memory"),
            reconstructors=fields.texts("reconstructors"),
            running=fields.text("running", MAX_ID),
            queued=fields.whole("queued"),
            pid=fields.whole("pid"),
            uptime=fields.number("uptime"),
            details=fields.record("details"),
        )


@dataclass(frozen=True)
class ErrorMessage(Message):
    """The end of a job, or the answer to a question, that did not go well.

    about: the job's or the question's id; "" where it concerns the connection as a whole.
    """

    kind: ClassVar[str] = "error"
    about: str
    code: str
    sentence: str
    hint: str = ""
    log_path: str = ""
    exit_code: int = EXIT_INTERNAL

    @classmethod
    def of(cls, about: str, error: Motion324Error, log_path: str) -> ErrorMessage:
        return cls(about, error.code, error.sentence[:MAX_TEXT], error.hint[:MAX_TEXT], log_path, error.exit_code)

    def to_error(self) -> Motion324Error:
        if self.code == Cancelled().code:
            return Cancelled()
        return ReportedError(self.code, self.sentence, self.hint, self.exit_code, self.log_path)

    @classmethod
    def from_wire(cls, fields: MessageFields) -> ErrorMessage:
        return cls(
            about=fields.text("about", MAX_ID),
            code=fields.text("code", 100),
            sentence=fields.text("sentence"),
            hint=fields.text("hint"),
            log_path=fields.text("log_path"),
            exit_code=fields.whole("exit_code", 0, 255),
        )


_MESSAGES: tuple[type[Message], ...] = (
    Hello,
    AnimateRequest,
    ExamineRequest,
    MeshRequest,
    RigRequest,
    Cancel,
    StatusRequest,
    Unload,
    Shutdown,
    Heartbeat,
    Goodbye,
    Queued,
    ProgressEvent,
    FramesEvent,
    ResultEvent,
    ExaminationEvent,
    MeshEvent,
    RigEvent,
    ErrorMessage,
    Status,
    Done,
    SeesFiles,
    Seen,
    Upload,
    UploadPart,
    UploadReceived,
)
_BY_KIND = {message.kind: message for message in _MESSAGES}


def to_wire(message: Message) -> tuple[dict[str, Any], Arrays]:
    """The message's header and arrays, ready for motion324.wire.framing."""
    arrays: Arrays = {}
    return {"kind": message.kind, **message.to_wire(arrays)}, arrays


def from_wire(header: dict[str, Any], arrays: Arrays) -> Message:
    """The message that came as this header and these arrays.

    Raises Motion324Error("bad-message") where it is unknown or a field is missing or wrong, and
    Motion324Error("bad-option") where the options of an animation job are.
    """
    kind = header.get("kind")
    if not isinstance(kind, str) or kind not in _BY_KIND:
        raise Motion324Error(
            "bad-message",
            f"The message {str(kind)[:80]!r} between Blender and the backend is not known.",
            "Install the same version of Motion324 on both sides.",
            EXIT_BACKEND,
        )
    return _BY_KIND[kind].from_wire(MessageFields(kind, header, arrays))
