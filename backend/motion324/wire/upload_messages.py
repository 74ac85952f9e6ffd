"""The messages that carry a request's files to a backend on another machine.

From Blender: SeesFiles, answered by a Seen; Upload, then UploadParts, each answered by an UploadReceived, and last the
request itself, which carries the same job id. A Cancel of that id ends it, as a job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from motion324.wire.fields import MessageFields
from motion324.wire.message import MAX_ID, Message, new_id
from motion324.wire.payloads import Arrays

MAX_PATHS = 16
MAX_FILES = 200_000
MAX_NAME = 255  # letters
PART_BYTES = 1 << 20


@dataclass(frozen=True)
class SeesFiles(Message):
    """paths: each with its motion324.wire.sent_files.fingerprint on this side."""

    kind: ClassVar[str] = "sees-files"
    paths: tuple[tuple[str, str], ...]
    question_id: str = field(default_factory=new_id)

    @classmethod
    def from_wire(cls, fields: MessageFields) -> SeesFiles:
        return cls(
            paths=tuple(_pair(fields, value, "paths") for value in fields.items("paths", MAX_PATHS)),
            question_id=fields.text("question_id", MAX_ID),
        )


@dataclass(frozen=True)
class Seen(Message):
    """seen: for each of the paths, whether the backend finds the same there."""

    kind: ClassVar[str] = "seen"
    question_id: str
    seen: tuple[bool, ...]

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Seen:
        values = fields.items("seen", MAX_PATHS)
        if not all(isinstance(value, bool) for value in values):
            raise fields.wrong("seen", "must be a list of true and false")
        return cls(fields.text("question_id", MAX_ID), tuple(values))


@dataclass(frozen=True)
class UploadedPath:
    """One path of a request. name: its last part. is_folder: whether `files` lie in a folder of that name.

    files: (name, size in bytes) each, in the order in which their bytes will come.
    """

    role: str
    name: str
    is_folder: bool
    files: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Upload(Message):
    """Announces the files of a request. Answered by an UploadReceived of 0 bytes, or by an ErrorMessage."""

    kind: ClassVar[str] = "upload"
    job_id: str
    paths: tuple[UploadedPath, ...]

    @property
    def size(self) -> int:
        return sum(size for path in self.paths for _, size in path.files)

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        paths = [
            {"role": path.role, "name": path.name, "is_folder": path.is_folder, "files": [list(f) for f in path.files]}
            for path in self.paths
        ]
        return {"job_id": self.job_id, "paths": paths}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Upload:
        return cls(
            fields.text("job_id", MAX_ID),
            tuple(_path(fields.within("paths", value)) for value in fields.items("paths", MAX_PATHS)),
        )


@dataclass(frozen=True)
class UploadPart(Message):
    """The next bytes of all files, one after the other. data (B,) uint8, at most PART_BYTES."""

    kind: ClassVar[str] = "upload-part"
    job_id: str
    data: np.ndarray

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        arrays["data"] = self.data
        return {"job_id": self.job_id}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> UploadPart:
        data = fields.array("data", "uint8", (None,))
        if len(data) > PART_BYTES:
            raise fields.wrong("data", f"has {len(data)} bytes; at most {PART_BYTES} come at once")
        return cls(fields.text("job_id", MAX_ID), data)


@dataclass(frozen=True)
class UploadReceived(Message):
    """received: bytes that the backend has written so far."""

    kind: ClassVar[str] = "upload-received"
    job_id: str
    received: int

    @classmethod
    def from_wire(cls, fields: MessageFields) -> UploadReceived:
        return cls(fields.text("job_id", MAX_ID), fields.whole("received"))


def _path(fields: MessageFields) -> UploadedPath:
    files = []
    for value in fields.items("files", MAX_FILES):
        if not isinstance(value, list) or len(value) != 2:
            raise fields.wrong("files", "must hold names and sizes")
        inner = fields.within("files", {"name": value[0], "size": value[1]})
        files.append((inner.text("name", MAX_NAME), inner.whole("size")))
    return UploadedPath(fields.text("role", 20), fields.text("name", MAX_NAME), fields.flag("is_folder"), tuple(files))


def _pair(fields: MessageFields, value: object, name: str) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(part, str) for part in value):
        raise fields.wrong(name, "must hold pairs of texts")
    return value[0], value[1]
