"""Sends a request's files to a backend that does not see them: asks which it lacks, announces and sends those.

A file that two requests need at once is sent once, and one whose sending was interrupted goes on where it was, as long
as the backend keeps what it has of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion324.client.jobs import JobEvents, PendingJobs
from motion324.core.errors import EXIT_BAD_VIDEO, Cancelled, Motion324Error
from motion324.core.files.input_files import images_in
from motion324.core.options.animate_options import names_mask_files
from motion324.core.progress import Pace
from motion324.wire.file_messages import (
    MASK,
    PART_BYTES,
    VIDEO,
    FileKey,
    Seen,
    SeesFiles,
    SentFile,
    Upload,
    UploadPart,
    fingerprint,
)
from motion324.wire.message import new_id
from motion324.wire.outbox import Outbox
from motion324.wire.protocol import AnyVideoRequest, Message, ProgressEvent
from motion324.wire.transport import TICK

SEND = "send"  # the stage that a client reports while it sends; counted in megabytes
REPORT_SECONDS = 0.1
SMALLEST_PART = 16 << 10  # bytes
PART_SECONDS = 0.3  # that a part should take, so that its progress is told soon; and that a pace counts
MOST_AT_ONCE = 3  # files on their way: of an animation, of a look, of a mesh
QUESTION_SECONDS = 60.0
_free_names: list[str] = []  # of senders of this process whose connection has ended


@dataclass(frozen=True)
class NamedFile:
    """What lies at one path of a request: a file, or the images of a folder. files: each with its size in bytes."""

    role: str
    path: Path
    is_folder: bool
    files: tuple[tuple[Path, int], ...]
    key: FileKey


class FileTransfer:
    """Brings the files of one client's requests to its backend. ask: puts a question and waits for its answer."""

    def __init__(self, ask: Callable[[SeesFiles, float], Message], outbox: Outbox, jobs: PendingJobs) -> None:
        self._ask = ask
        self._outbox = outbox
        self._jobs = jobs
        self._changed = threading.Condition()
        self._on_their_way: dict[FileKey, _Sending] = {}
        try:
            self._name = _free_names.pop()
        except IndexError:
            self._name = new_id()

    def end(self) -> None:
        """To be called once, when the connection has ended: the next one goes on with what was interrupted."""
        _free_names.append(self._name)

    def bring(self, request: AnyVideoRequest, events: JobEvents) -> AnyVideoRequest:
        """Returns once the backend has every file that the request names and this machine has: the request, naming
        them as they were sent. On the job's own thread.

        events: get ProgressEvents. Raises Cancelled when they are over; Motion324Error("video-missing",
        "video-unreadable", "video-changed"), and what the question raises.
        """
        found = files_of(request)
        if request.send_video and isinstance(request.video, Path) and not any(f.role == VIDEO for f in found):
            raise Motion324Error(
                "video-missing", f"The video '{request.video}' does not exist.", "Check the path.", EXIT_BAD_VIDEO
            )
        for file in found:
            with self._turn(file.key, events) as sending:
                if request.send_video or not self._is_seen(file.key):
                    self._send(file, sending, events)
        return dataclasses.replace(request, files=tuple(SentFile(file.role, file.key) for file in found))

    def received(self, job_id: str, count: int) -> None:
        """To be called when the backend tells how many bytes it has of what this job sends."""
        with self._changed:
            for sending in self._on_their_way.values():
                if sending.job_id == job_id:
                    sending.received = count
            self._changed.notify_all()

    def _is_seen(self, key: FileKey) -> bool:
        answer = self._ask(SeesFiles((key,)), QUESTION_SECONDS)
        assert isinstance(answer, Seen)
        return answer.seen == (True,)

    @contextlib.contextmanager
    def _turn(self, key: FileKey, events: JobEvents) -> Iterator[_Sending]:
        """Waits while this very file, or too many others, are on their way; raises Cancelled once the events end."""
        with self._changed:
            while key in self._on_their_way or len(self._on_their_way) >= MOST_AT_ONCE:
                _check(events)
                other = self._on_their_way.get(key)
                if other is not None:
                    other.report(events)
                self._changed.wait(TICK)
            sending = self._on_their_way[key] = _Sending(events.job_id, key.size)
        try:
            yield sending
        finally:
            with self._changed:
                del self._on_their_way[key]
                self._changed.notify_all()

    def _send(self, file: NamedFile, sending: _Sending, events: JobEvents) -> None:
        names = tuple((path.name, size) for path, size in file.files)
        upload = Upload(events.job_id, self._name, file.key, file.path.name, file.is_folder, names)
        # Not after a cancel: the backend would wait for parts that never come.
        self._jobs.send_if_pending(events, lambda: self._outbox.post(upload))
        self._wait_for(sending, 0, events)
        offset = sending.received
        parts = _Bytes(file.files, offset)
        while offset < file.key.size:
            data = parts.read(sending.part_size(time.monotonic()))
            self._outbox.put(UploadPart(events.job_id, offset, data), lambda: _check(events), ahead=1)
            offset += len(data)
            sending.report(events)
        self._wait_for(sending, file.key.size, events)

    def _wait_for(self, sending: _Sending, count: int, events: JobEvents) -> None:
        """Until the backend has at least `count` bytes."""
        with self._changed:
            while sending.received < count:
                _check(events)
                sending.report(events)
                self._changed.wait(TICK)
        _check(events)
        sending.report(events)


class _Sending:
    """One file on its way. received: bytes that the backend has of it; -1 before its first answer."""

    def __init__(self, job_id: str, size: int) -> None:
        self.job_id = job_id
        self.received = -1
        self._size = size
        self._pace = Pace()
        self._reported: dict[str, tuple[int, float]] = {}  # by the job that was told: bytes, and when
        self._part_size = SMALLEST_PART
        self._measured = (0, 0.0)  # bytes that the backend had, and when; from there the pace is taken

    def part_size(self, now: float) -> int:
        """How many bytes the next part is to have at the pace at which the backend receives them now."""
        received, since = self._measured
        if not since or now - since > PART_SECONDS or self.received - received >= PART_BYTES:
            if since:
                pace = (self.received - received) / max(now - since, 1e-3)
                self._part_size = int(min(max(PART_SECONDS * pace, SMALLEST_PART), PART_BYTES))
            self._measured = (self.received, now)
        return self._part_size

    def report(self, events: JobEvents) -> None:
        """Tells the job how far it is, unless it knows."""
        received, now = self.received, time.monotonic()
        before, last = self._reported.get(events.job_id, (-1, 0.0))
        if received < 0 or received == before or (now - last < REPORT_SECONDS and received < self._size):
            return
        self._reported[events.job_id] = (received, now)
        remaining = self._pace.update(SEND, received, self._size, now)
        megabytes = (round(received / 1e6), max(round(self._size / 1e6), 1))
        events.add(ProgressEvent(events.job_id, SEND, *megabytes, remaining))


class _Bytes:
    """The bytes of files one after the other, from `offset` on, so that thousands of small images are few parts."""

    def __init__(self, files: tuple[tuple[Path, int], ...], offset: int) -> None:
        self._pieces = self._read(files, offset)
        self._wanted = 0

    def read(self, count: int) -> np.ndarray:
        """The next bytes (B,) uint8: `count`, or fewer at the end.

        Raises Motion324Error("video-unreadable", "video-changed").
        """
        data = bytearray()
        while len(data) < count:
            self._wanted = count - len(data)
            piece = next(self._pieces, b"")
            if not piece:
                break
            data += piece
        return np.frombuffer(data, np.uint8)

    def _read(self, files: tuple[tuple[Path, int], ...], skip: int) -> Iterator[bytes]:
        for path, size in files:
            if skip >= size:
                skip -= size
                continue
            left, start, skip = size - skip, skip, 0
            try:
                with path.open("rb") as file:
                    file.seek(start)
                    while left:
                        piece = file.read(min(self._wanted, left))
                        if not piece:
                            raise _file_error("video-changed", path, "became shorter while it was sent")
                        left -= len(piece)
                        yield piece
            except OSError as error:
                raise _file_error("video-unreadable", path, f"cannot be read ({error.strerror or error})") from error


def may_need_files(request: AnyVideoRequest, same_machine: bool) -> bool:
    """Whether the request names files that a backend, on this machine or not, may have to be sent."""
    return bool(_paths_of(request)) and (not same_machine if request.send_video is None else request.send_video)


def files_of(request: AnyVideoRequest) -> list[NamedFile]:
    """What this machine has of the paths in a request; paths that are not here are left out.

    Raises Motion324Error("video-unreadable").
    """
    try:
        return [_named(role, path) for role, path in _paths_of(request).items() if path.exists()]
    except OSError as error:
        raise _file_error("video-unreadable", error.filename, f"cannot be read ({error.strerror or error})") from error


def _paths_of(request: AnyVideoRequest) -> dict[str, Path]:
    """The absolute paths that a request names, by their roles."""
    paths = {}
    if isinstance(request.video, Path):
        paths[VIDEO] = request.video.absolute()
    if names_mask_files(request.options.mask):
        paths[MASK] = Path(request.options.mask).absolute()
    return paths


def _named(role: str, path: Path) -> NamedFile:
    files = tuple((file, file.stat().st_size) for file in (images_in(path) if path.is_dir() else [path]))
    key = FileKey(str(path), fingerprint(path), sum(size for _, size in files))
    return NamedFile(role, path, path.is_dir(), files, key)


def _check(events: JobEvents) -> None:
    if events.over:
        raise Cancelled()


def _file_error(code: str, path: object, what: str) -> Motion324Error:
    return Motion324Error(code, f"The file '{path}' {what}.", "Check the file, then start again.", EXIT_BAD_VIDEO)
