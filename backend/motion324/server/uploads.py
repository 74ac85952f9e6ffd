"""Files that clients send since this machine does not see them: received into a temporary folder.

Nothing that a client says becomes a path before it is checked: a name is one part of a path, and no more bytes are
written than were announced, and than the disk has room for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import stat
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.write_aside import explained_write_errors
from motion324.server.parent_watch import parent_is_alive
from motion324.wire.protocol import Upload
from motion324.wire.sent_files import MASK, VIDEO

log = logging.getLogger(__name__)

MAX_UPLOAD_BYTES = 32 << 30  # of one request
MAX_UPLOADS = 4  # of one client that are not part of a job yet
RESERVED_BYTES = 256 << 20  # that the disk keeps free beside an upload
_FOLDER = "motion324-received-"
# Windows gives these names to devices, with any suffix; elsewhere they mean nothing bad.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class ReceivedFiles:
    """The files of one request, in a folder of their own, until nobody holds them any more."""

    def __init__(self, folder: Path, upload: Upload) -> None:
        self._lock = threading.Lock()
        self._holders = 1  # who made them
        self.folder = folder
        self.received = 0
        self.size = upload.size
        self._paths = {path.role: folder / path.role / path.name for path in upload.paths}
        self._targets = self._open_one_after_the_other(upload)
        self._file: BinaryIO | None = None
        self._left = 0

    def write(self, data: np.ndarray) -> None:
        """Takes the next bytes. Raises Motion324Error("bad-message", "disk-full", "cannot-write")."""
        if self.received + len(data) > self.size:
            raise _refused("more bytes came than were announced")
        with explained_write_errors(self.folder):
            rest = data.data
            while len(rest):
                if self._left == 0:
                    self._file, self._left = next(self._targets)
                    continue
                assert self._file is not None
                part = rest[: self._left]
                self._file.write(part)
                self._left -= len(part)
                self.received += len(part)
                rest = rest[len(part) :]
            if self.received == self.size:
                for _ in self._targets:  # closes the last file, and makes empty ones that come after it
                    pass

    def places(self) -> dict[str, Path]:
        """Where they lie, by their roles. Raises Motion324Error("bad-message") where bytes of them are missing."""
        if self.received != self.size:
            raise _refused(f"{self.size - self.received} of {self.size} bytes of the files are missing")
        return dict(self._paths)

    def hold(self) -> None:
        """One more who needs them. To be called only by somebody who holds them, or under a lock with that one."""
        with self._lock:
            self._holders += 1

    def release(self) -> None:
        """One less who needs them: the last one's call removes them. Any thread."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self.remove()

    def remove(self) -> None:
        """Takes the files away. May be called twice, by any thread."""
        with contextlib.suppress(ValueError):  # another thread is writing just now; it will fail, and close the file
            self._targets.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _open_one_after_the_other(self, upload: Upload) -> Generator[tuple[BinaryIO, int], None, None]:
        for path in upload.paths:
            folder = self._paths[path.role] if path.is_folder else self._paths[path.role].parent
            for name, size in path.files:
                with (folder / name).open("xb") as file:
                    yield file, size


class UploadFolder:
    """The folder of one process for all that it receives; made when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None

    def new(self) -> Path:
        """A fresh folder in it, which only this user can read. Raises Motion324Error("disk-full", "cannot-write")."""
        with self._lock, explained_write_errors(Path(tempfile.gettempdir())):
            if self._path is None:
                self._path = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-"))
            return Path(tempfile.mkdtemp(dir=self._path))

    def remove(self) -> None:
        """Takes everything away, at the end of the process."""
        with self._lock:
            if self._path is not None:
                shutil.rmtree(self._path, ignore_errors=True)


class Uploads:
    """What one client sends. begin, write and take are called by its thread; drop by any."""

    def __init__(self, folder: UploadFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._receiving: dict[str, ReceivedFiles] = {}

    def begin(self, upload: Upload) -> None:
        """Raises Motion324Error("bad-message", "upload-too-large", "disk-full", "cannot-write")."""
        check_upload(upload)
        with self._lock:
            if upload.job_id in self._receiving or len(self._receiving) >= MAX_UPLOADS:
                raise _refused("too many are sent at once, or the same one twice")
        folder = self._folder.new()
        files = ReceivedFiles(folder, upload)
        try:
            free = shutil.disk_usage(folder).free
            if free < upload.size + RESERVED_BYTES:
                raise Motion324Error(
                    "disk-full",
                    f"The backend's disk has {free / 1e9:.1f} GB free in '{folder.parent.parent}', too little for the "
                    f"{upload.size / 1e9:.1f} GB that are to be sent.",
                    "Free some space there, or start the backend with another folder in TMPDIR.",
                    EXIT_CANNOT_WRITE,
                )
            with explained_write_errors(folder):
                for path in upload.paths:
                    (folder / path.role).mkdir()
                    if path.is_folder:
                        (folder / path.role / path.name).mkdir()
            files.write(np.empty(0, np.uint8))  # where nothing but empty files will come
        except BaseException:
            files.remove()
            raise
        with self._lock:
            self._receiving[upload.job_id] = files

    def write(self, job_id: str, data: np.ndarray) -> int | None:
        """Takes the next bytes of an upload: how many it has now; None for one that was dropped meanwhile.

        Raises Motion324Error("bad-message", "disk-full", "cannot-write"), after which the upload is gone.
        """
        with self._lock:
            files = self._receiving.get(job_id)
        if files is None:
            return None
        try:
            files.write(data)
        except BaseException:
            self.drop(job_id)
            raise
        return files.received

    def take(self, job_id: str) -> ReceivedFiles | None:
        """The files that were sent for this job, if any; from now on the caller has to release them."""
        with self._lock:
            return self._receiving.pop(job_id, None)

    def drop(self, job_id: str) -> None:
        """Forgets an upload, if there is one."""
        files = self.take(job_id)
        if files is not None:
            files.remove()

    def drop_all(self) -> None:
        with self._lock:
            ids = list(self._receiving)
        for job_id in ids:
            self.drop(job_id)


def check_upload(upload: Upload) -> None:
    """Raises Motion324Error("bad-message" or "upload-too-large") for what must not be received."""
    if upload.size > MAX_UPLOAD_BYTES:
        raise Motion324Error(
            "upload-too-large",
            f"The files of {upload.size / 1e9:.1f} GB are too large to be sent; the backend takes "
            f"{MAX_UPLOAD_BYTES / 1e9:.0f} GB.",
            "Cut the video, or copy it to the backend's machine and give its path there.",
            EXIT_USAGE,
        )
    roles = [path.role for path in upload.paths]
    if not roles or len(set(roles)) != len(roles) or not set(roles) <= {VIDEO, MASK}:
        raise _refused("their purpose is not known")
    for path in upload.paths:
        names = [name for name, _ in path.files]
        if not path.is_folder and names != [path.name]:
            raise _refused("a file has two names")
        if len({name.casefold() for name in names}) != len(names):
            raise _refused("two of them have the same name")
        for name in (path.name, *names):
            check_name(name)


def check_name(name: str) -> None:
    """Raises Motion324Error("bad-message") for what is not the plain name of one file, on every system."""
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


def remove_leftovers() -> None:
    """Takes away what processes of this user have received that were killed before they could do so themselves."""
    if not hasattr(os, "getuid"):
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(folder.name.removeprefix(_FOLDER).partition("-")[0])
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not parent_is_alive(pid)():
                log.info("removes %s, which an earlier backend left", folder)
                shutil.rmtree(folder, ignore_errors=True)


def _refused(why: str) -> Motion324Error:
    return Motion324Error(
        "bad-message",
        f"The backend does not take the files that were sent: {why}.",
        "This is a defect of Motion324 or of the program that sent them; please report it with the log.",
        EXIT_BACKEND,
    )
