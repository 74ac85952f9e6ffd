"""Defines the protocol: its version number, the first message each way, and the registry of all by their kind.

From Blender: Hello, Cancel, StatusRequest, Unload, Shutdown, Heartbeat, Goodbye, and the requests of
motion324.wire.requests. From the backend: Hello, ErrorMessage, Status, Done, Heartbeat, and the events of
motion324.wire.events. Both ways, where files have to be sent first: motion324.wire.file_messages. Those that are
neither a request nor an event nor about files: motion324.wire.session_messages.
How they become bytes: motion324.wire.framing. Which goes out first: motion324.wire.outbox. Who may speak at all:
motion324.wire.handshake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from motion324 import __version__
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.wire.events import ExaminationEvent, FramesEvent, MeshEvent, ProgressEvent, Queued, ResultEvent
from motion324.wire.file_messages import Seen, SeesFiles, Upload, UploadPart, UploadReceived
from motion324.wire.message import Arrays, Message, MessageFields
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
from motion324.wire.session_messages import (
    Done,
    ErrorMessage,
    Goodbye,
    Heartbeat,
    Question,
    ReportedError,
    Shutdown,
    Status,
    StatusRequest,
    Unload,
)

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

PROTOCOL_VERSION = 11
# 1  hello, animate, cancel, status, unload, shutdown, heartbeat; queued, progress, frames, result, error, done
# 2  examine, examination; sees-files, seen, upload, upload-part, upload-received; a result's view is an object
# 3  make-mesh, mesh; the option video_fps
# 4  bulk in acknowledged pieces behind control messages; uploads by file, which go on where they were; goodbye
# 5  the option camera
# 6  rig, rigged
# 7  a result's doubt; pins in animate, and an earlier result, with its doubt, that they correct
# 8  the order in which a bone's limits count, and locks of quaternions' components
# 9  how far bones may scale, whether they take over their parents' scale, and keys of scale
# 10 how well mesh and video match, with the progress of a job
# 11 doubt by frames, also of frames that are not final


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
