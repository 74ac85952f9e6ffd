"""Receives the files that clients send, keeps them for a while, gives them to jobs, and removes them.

A file is known by its motion324.wire.file_messages.FileKey. What has come of one whose upload was interrupted is kept
as well, and goes on from there, also for another connection. Nothing that a client says becomes a path before it is
checked: a name is one part of a path, and no more bytes are written than were announced and the disk has room for.
"""

from __future__ import annotations

import dataclasses
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.owned_folder import OwnedFolder, remove_abandoned
from motion324.core.files.write_aside import explained_write_errors
from motion324.server.received_file import ReceivedFile, check_upload, refused
from motion324.wire.file_messages import MASK, VIDEO, FileKey, Upload, fingerprint
from motion324.wire.protocol import AnyVideoRequest

log = logging.getLogger(__name__)

MAX_AT_ONCE = 4  # uploads of one client at a time
RESERVED_BYTES = 256 << 20  # that the disk keeps free beside an upload
KEPT_SECONDS = 600.0  # after a file's last use, until it is removed
MOST_KEPT = 8  # files that nobody uses
MOST_KEPT_BYTES = 8 << 30  # of them together
QUIET_SECONDS = 15.0  # without a part, until another connection may go on with the upload
_FOLDER = "motion324-received-"

Client = object  # anything that is the same for all messages of one connection, and for no other


class FileTransfer:
    """The files of all clients of one backend. All methods may be called by any thread; those that name a client, by
    one thread for each.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._files: list[ReceivedFile] = []  # the one that was used last at the end
        self._folder: OwnedFolder | None = None  # made when it is first needed

    def which_are_here(self, client: Client, keys: Iterable[FileKey]) -> tuple[bool, ...]:
        """Which of these this machine has, or sees itself under the same path."""
        seen = []
        for key in keys:
            with self._lock:
                kept = self._complete(key)
                if kept is not None:
                    self._use(kept, client)
            seen.append(kept is not None or _sees(key))
        return tuple(seen)

    def begin(self, client: Client, upload: Upload) -> int:
        """How many bytes of it are here already, from an upload that was interrupted or has ended; the parts that
        follow begin there.

        Raises Motion324Error("bad-message", "bad-file-name", "upload-too-large", "disk-full", "cannot-write").
        """
        check_upload(upload)
        with self._lock:
            if sum(file.sender is not None and file.sender[0] == client for file in self._files) >= MAX_AT_ONCE:
                raise refused("too many are sent at once")
            file = self._complete(upload.key) or self._interrupted(upload)
            self._make_room(upload, file)
            if file is None:
                file = ReceivedFile(self._new_folder(), upload)
                self._files.append(file)
            self._use(file, client)
            if file.is_complete:
                file.claims.add((client, upload.job_id))
            else:
                file.begin_sending((client, upload.job_id), upload.sender)
            return file.received

    def write(self, client: Client, job_id: str, offset: int, data: np.ndarray) -> int | None:
        """Takes the next bytes of an upload: how many there are now; None for one that was interrupted meanwhile.

        Raises Motion324Error("bad-message", "disk-full", "cannot-write"), after which the upload is gone, or
        "upload-interrupted".
        """
        sender = (client, job_id)
        with self._lock:
            file = next((each for each in self._files if each.sender == sender), None)
            if file is None:
                if any(sender in each.displaced for each in self._files):
                    raise Motion324Error(
                        "upload-interrupted",
                        "The same file was sent again by another program meanwhile.",
                        "Start again.",
                        EXIT_BACKEND,
                    )
                return None
        try:
            return file.write(offset, data)
        except BaseException:
            with self._lock:
                self._remove(file)
            raise

    def interrupt(self, client: Client, job_id: str) -> None:
        """The job was cancelled before its request came: what has come of its files is kept for a while."""
        self._let_go(lambda other: other == (client, job_id))

    def leave(self, client: Client, forget: bool) -> None:
        """The client's connection has ended; forget: nothing is to be kept for it, but what jobs still use."""
        self._let_go(lambda other: other[0] == client)
        if forget:
            with self._lock:
                for file in self._files:
                    file.forgotten = file.forgotten or file.owner == client
                self._tidy()

    def bring_into(self, client: Client, request: AnyVideoRequest) -> tuple[AnyVideoRequest, Callable[[], None]]:
        """The request with this machine's paths, and what is to be called once it has ended.

        Raises Motion324Error("file-gone") where one of its files is not here any more.
        """
        held: list[ReceivedFile] = []
        places: dict[str, Path] = {}

        def release() -> None:
            with self._lock:
                while held:  # so that a second call does nothing
                    file = held.pop()
                    file.holders -= 1
                    file.used = time.monotonic()
                self._tidy()

        with self._lock:
            for sent in request.files:
                file = self._complete(sent.key)
                if file is not None:
                    file.holders += 1
                    held.append(file)
                    self._use(file, client)
                    places[sent.role] = file.path
                elif _sees(sent.key):
                    places[sent.role] = Path(sent.key.path)
                else:
                    release()
                    raise Motion324Error(
                        "file-gone",
                        f"The backend no longer has the file '{sent.key.path}' that was sent to it.",
                        "Start again; it is sent anew then.",
                        EXIT_BACKEND,
                    )
            self.interrupt(client, request.job_id)  # it holds them now
        return _with_places(request, places), release

    def forget_old(self) -> None:
        """To be called now and then: removes what was kept for long enough."""
        with self._lock:
            self._tidy()

    def close(self) -> None:
        """Takes everything away, at the end of the process."""
        with self._lock:
            for file in list(self._files):
                self._remove(file)
            if self._folder is not None:
                self._folder.remove()

    def _complete(self, key: FileKey) -> ReceivedFile | None:
        return next((file for file in self._files if file.key == key and file.is_complete), None)

    def _interrupted(self, upload: Upload) -> ReceivedFile | None:
        """What has come of an upload of the same that nobody goes on with: also one whose connection broke without
        this side having noticed.
        """
        for file in self._files:
            if file.key == upload.key and not file.is_complete:
                quiet = time.monotonic() - file.used > QUIET_SECONDS
                if file.sender is None or quiet or file.sender_name == upload.sender:
                    return file
        return None

    def _use(self, file: ReceivedFile, client: Client) -> None:
        file.owner, file.used, file.forgotten = client, time.monotonic(), False
        self._files.remove(file)
        self._files.append(file)

    def _let_go(self, is_meant: Callable[[tuple[Client, str]], bool]) -> None:
        with self._lock:
            for file in self._files:
                file.claims = {claim for claim in file.claims if not is_meant(claim)}
                if file.sender is not None and is_meant(file.sender):
                    file.end_sending()
            self._tidy()

    def _tidy(self) -> None:
        """Removes what nobody uses: forgotten, old, or more than may be kept."""
        now = time.monotonic()
        kept, size = 0, 0
        for file in reversed(self._files.copy()):
            if file.is_used:
                continue
            kept, size = kept + 1, size + file.received
            if file.forgotten or now - file.used > KEPT_SECONDS or kept > MOST_KEPT or size > MOST_KEPT_BYTES:
                self._remove(file)

    def _remove(self, file: ReceivedFile) -> None:
        if file in self._files:
            self._files.remove(file)
            file.remove()

    def _make_room(self, upload: Upload, begun: ReceivedFile | None) -> None:
        """Raises Motion324Error("disk-full") where the disk lacks room for the rest of it, whatever else is removed."""
        needed = upload.key.size - (begun.received if begun else 0) + RESERVED_BYTES
        folder = Path(tempfile.gettempdir())
        for file in self._files.copy():
            if shutil.disk_usage(folder).free >= needed:
                return
            if file is not begun and not file.is_used:
                self._remove(file)
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise Motion324Error(
                "disk-full",
                f"The backend's disk has {free / 1e6:.0f} MB free in '{folder}', and needs {needed / 1e6:.0f} MB: "
                f"{RESERVED_BYTES / 1e6:.0f} MB have to stay free beside what is to be sent.",
                "Free some space there, or start the backend with another folder in TMPDIR.",
                EXIT_CANNOT_WRITE,
            )

    def _new_folder(self) -> Path:
        """A fresh folder, which only this user can read. Raises Motion324Error("disk-full", "cannot-write")."""
        parent = Path(tempfile.gettempdir())
        with explained_write_errors(parent):
            if self._folder is None:
                self._folder = OwnedFolder(_FOLDER, parent)
            return Path(tempfile.mkdtemp(dir=self._folder.path))


def remove_leftovers() -> None:
    """Takes away what backends of this user have received that were killed before they could do so themselves."""
    for folder in remove_abandoned(_FOLDER, Path(tempfile.gettempdir())):
        log.info("has removed %s, which an earlier backend left", folder)


def _sees(key: FileKey) -> bool:
    return key.fingerprint != "" and key.fingerprint == fingerprint(Path(key.path))


def _with_places(request: AnyVideoRequest, places: dict[str, Path]) -> AnyVideoRequest:
    if VIDEO in places:
        request = dataclasses.replace(request, video=places[VIDEO])
    if MASK in places:
        request = dataclasses.replace(request, options=dataclasses.replace(request.options, mask=str(places[MASK])))
    return request
