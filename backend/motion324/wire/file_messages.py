"""Defines the messages that carry a request's files to a backend on another machine, and the key that identifies a
file.

From Blender: SeesFiles, answered by a Seen; then, for each path that the backend lacks, an Upload and UploadParts, each
answered by an UploadReceived; last the request itself, which has the same job id and names the files. A Cancel of that
id interrupts an upload, as the end of the connection does: what has come of it is kept for a while, and a later Upload
of the same file goes on from there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from motion324.core.files.input_files import images_in
from motion324.wire.message import MAX_ID, Arrays, BulkMessage, Message, MessageFields, new_id

VIDEO, MASK = "video", "mask"  # the roles of a request's paths
MAX_PATHS = 16
MAX_FILES = 200_000
MAX_NAME = 255  # letters
PART_BYTES = 1 << 20


@dataclass(frozen=True)
class FileKey:
    """What a client's file, or folder of images, is known by on both sides.

    path: the very text that the client uses, which need not be a path on the backend's system.
    fingerprint: see `fingerprint`, on the client's side. size: bytes of all its files.
    """

    path: str
    fingerprint: str
    size: int


@dataclass(frozen=True)
class SentFile:
    """What a request uses in the role of VIDEO or MASK."""

    role: str
    key: FileKey


@dataclass(frozen=True)
class SeesFiles(Message):
    """Asks which of these files the backend has, or sees itself under the same path."""

    kind: ClassVar[str] = "sees-files"
    keys: tuple[FileKey, ...]
    question_id: str = field(default_factory=new_id)

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {"keys": [_key_to_wire(key) for key in self.keys], "question_id": self.question_id}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> SeesFiles:
        return cls(
            keys=tuple(_key_from_wire(fields.within("keys", value)) for value in fields.items("keys", MAX_PATHS)),
            question_id=fields.text("question_id", MAX_ID),
        )


@dataclass(frozen=True)
class Seen(Message):
    """seen: for each of the files, whether nothing of it has to be sent."""

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
class Upload(BulkMessage):
    """Announces one file, or one folder of images. Answered by an UploadReceived, or by an ErrorMessage.

    sender: an id of whoever sends it, which outlives a lost connection: by it the backend knows that an upload it still
    waits for was interrupted.
    name: the last part of its path. is_folder: whether `files` lie in a folder of that name.
    files: (name, size in bytes) each, in the order in which their bytes will come.
    """

    kind: ClassVar[str] = "upload"
    job_id: str
    sender: str
    key: FileKey
    name: str
    is_folder: bool
    files: tuple[tuple[str, int], ...]

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "sender": self.sender,
            "key": _key_to_wire(self.key),
            "name": self.name,
            "is_folder": self.is_folder,
            "files": [list(file) for file in self.files],
        }

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Upload:
        files = []
        for value in fields.items("files", MAX_FILES):
            if not isinstance(value, list) or len(value) != 2:
                raise fields.wrong("files", "must hold names and sizes")
            inner = fields.within("files", {"name": value[0], "size": value[1]})
            files.append((inner.text("name", MAX_NAME), inner.whole("size")))
        key = _key_from_wire(fields.within("key", fields.record("key")))
        if key.size != sum(size for _, size in files):
            raise fields.wrong("key", f"has a size of {key.size} bytes, and its files have another")
        return cls(
            job_id=fields.text("job_id", MAX_ID),
            sender=fields.text("sender", MAX_ID),
            key=key,
            name=fields.text("name", MAX_NAME),
            is_folder=fields.flag("is_folder"),
            files=tuple(files),
        )


@dataclass(frozen=True)
class UploadPart(BulkMessage):
    """The bytes of all its files, one after the other, from `offset` on. data (B,) uint8, at most PART_BYTES."""

    kind: ClassVar[str] = "upload-part"
    job_id: str
    offset: int
    data: np.ndarray

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        arrays["data"] = self.data
        return {"job_id": self.job_id, "offset": self.offset}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> UploadPart:
        data = fields.array("data", "uint8", (None,))
        if len(data) > PART_BYTES:
            raise fields.wrong("data", f"has {len(data)} bytes; at most {PART_BYTES} come at once")
        return cls(fields.text("job_id", MAX_ID), fields.whole("offset"), data)


@dataclass(frozen=True)
class UploadReceived(Message):
    """received: bytes of the file that the backend has so far; the first answer says where to begin."""

    kind: ClassVar[str] = "upload-received"
    job_id: str
    received: int

    @classmethod
    def from_wire(cls, fields: MessageFields) -> UploadReceived:
        return cls(fields.text("job_id", MAX_ID), fields.whole("received"))


def fingerprint(path: Path) -> str:
    """The same text on two machines that see the same file or folder: from names, sizes and times of change.

    "" where there is nothing to read.
    """
    try:
        files = images_in(path) if path.is_dir() else [path]
        described = [(file.name, (found := file.stat()).st_size, found.st_mtime_ns) for file in files]
    except (OSError, ValueError):  # ValueError: a path that holds a zero byte
        return ""
    return hashlib.sha256(repr(described).encode()).hexdigest()


def sent_files_to_wire(files: tuple[SentFile, ...]) -> list[dict[str, Any]]:
    return [{"role": file.role, "key": _key_to_wire(file.key)} for file in files]


def sent_files_from_wire(fields: MessageFields) -> tuple[SentFile, ...]:
    """Of a request. Raises Motion324Error("bad-message")."""
    files = []
    for value in fields.items("files", MAX_PATHS):
        inner = fields.within("files", value)
        if inner.text("role", 20) not in (VIDEO, MASK):
            raise inner.wrong("role", "is not known")
        files.append(SentFile(inner.text("role", 20), _key_from_wire(inner.within("key", inner.record("key")))))
    return tuple(files)


def _key_to_wire(key: FileKey) -> dict[str, Any]:
    return {"path": key.path, "fingerprint": key.fingerprint, "size": key.size}


def _key_from_wire(fields: MessageFields) -> FileKey:
    return FileKey(fields.text("path"), fields.text("fingerprint", 200), fields.whole("size"))
