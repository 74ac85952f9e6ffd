"""Writes one file, or one folder of images, that a client sends to the disk, and counts who still needs it."""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.files.write_aside import explained_write_errors
from motion324.wire.file_messages import Upload

MAX_UPLOAD_BYTES = 32 << 30
# Windows gives these names to devices, with any suffix; elsewhere they mean nothing bad.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class ReceivedFile:
    """It lies in a folder of its own. received: bytes that have come.

    sender: (client, job id) of whoever sends it now, and sender_name the name under which that one also reconnects.
    displaced: those who sent it before another took over.
    claims: (client, job id) of those who have announced it, and will need it once their request comes. holders: jobs
    that use it. owner: the client that had to do with it last, at the time `used`. forgotten: its owner does not want
    it to be kept.
    """

    def __init__(self, folder: Path, upload: Upload) -> None:
        """Raises Motion324Error("disk-full", "cannot-write")."""
        self.key = upload.key
        self.path = folder / upload.name
        self.received = 0
        self.sender: tuple[object, str] | None = None
        self.sender_name = ""
        self.displaced: set[tuple[object, str]] = set()
        self.claims: set[tuple[object, str]] = set()
        self.holders = 0
        self.owner: object = None
        self.used = time.monotonic()
        self.forgotten = False
        self._folder = folder
        self._writing = threading.Lock()
        self._removed = False
        self._file: IO[Any] | None = None  # open for what comes next
        inside = self.path if upload.is_folder else folder
        self._rest = [(inside / name, size) for name, size in reversed(upload.files)]  # the next one last
        self._left = 0  # bytes that the open file lacks
        try:
            with explained_write_errors(folder):
                inside.mkdir(exist_ok=True)
                self._open_next()
        except BaseException:
            self.remove()
            raise

    @property
    def is_complete(self) -> bool:
        return self.received == self.key.size

    @property
    def is_used(self) -> bool:
        return self.sender is not None or bool(self.claims) or self.holders > 0

    def begin_sending(self, sender: tuple[object, str], name: str) -> None:
        """`sender` sends the rest of it from now on."""
        if self.sender is not None:
            self.displaced.add(self.sender)
        self.sender, self.sender_name = sender, name

    def end_sending(self) -> None:
        """Nobody does any more; it may be complete or not."""
        self.sender = None

    def write(self, offset: int, data: np.ndarray) -> int:
        """Takes the bytes that come next: how many there are then; its last makes of the sender one who claims it.

        Raises Motion324Error("bad-message", "disk-full", "cannot-write").
        """
        with self._writing, explained_write_errors(self._folder):
            if offset != self.received or offset + len(data) > self.key.size:
                raise refused(f"bytes from {offset} to {offset + len(data)} came after {self.received}")
            rest = data.data
            while len(rest) and not self._removed:
                assert self._file is not None
                count = self._file.write(rest[: self._left])
                self._left -= count
                self.received += count
                rest = rest[count:]
                self._open_next()
            self.used = time.monotonic()
            if self.is_complete and self.sender is not None:
                self.claims.add(self.sender)
                self.sender = None
            return self.received

    def remove(self) -> None:
        """Takes it off the disk. May be called twice, by any thread."""
        with self._writing:
            self._removed = True
            self._close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open_next(self) -> None:
        """Goes on to the file that lacks bytes, making empty ones on the way."""
        while not self._left:
            self._close()
            if not self._rest:
                return
            path, self._left = self._rest.pop()
            self._file = path.open("xb", buffering=0)

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None


def check_upload(upload: Upload) -> None:
    """Raises Motion324Error("bad-message", "bad-file-name" or "upload-too-large") for what must not be received."""
    if upload.key.size > MAX_UPLOAD_BYTES:
        raise Motion324Error(
            "upload-too-large",
            f"The files of {upload.key.size / 1e9:.1f} GB are too large to be sent; the backend takes "
            f"{MAX_UPLOAD_BYTES / 1e9:.0f} GB.",
            "Cut the video, or copy it to the backend's machine and give its path there.",
            EXIT_USAGE,
        )
    names = [name for name, _ in upload.files]
    if not upload.key.fingerprint:
        raise refused("nothing tells which file it is")
    if not upload.is_folder and names != [upload.name]:
        raise refused("a file has two names")
    if len({name.casefold() for name in names}) != len(names):
        raise refused("two of them have the same name")
    for name in (upload.name, *names):
        check_name(name)


def check_name(name: str) -> None:
    """Raises Motion324Error("bad-file-name") for what is not the plain name of one file, on every system."""
    plain = (
        0 < len(name.encode("utf-8", "surrogatepass")) <= 255
        and name not in (".", "..")
        and not re.search(r'[/\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]', name)
        and name == name.rstrip(". ")
        and not _DEVICE.fullmatch(name)
    )
    if not plain:
        raise Motion324Error(
            "bad-file-name",
            f"A file cannot be sent under the name {name[:80]!r}.",
            "Rename it: letters, digits, spaces, '-' and '_' always work.",
            EXIT_USAGE,
        )


def refused(why: str) -> Motion324Error:
    return Motion324Error(
        "bad-message",
        f"The backend does not take the files that were sent: {why}.",
        "This is a defect of Motion324 or of the program that sent them; please report it with the log.",
        EXIT_BACKEND,
    )
