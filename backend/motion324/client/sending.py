"""Sending a request's files to a backend that does not see them: in parts, a few of them on their way at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from motion324.client.job_events import JobEvents
from motion324.core.errors import EXIT_BAD_VIDEO, Cancelled, Motion324Error
from motion324.core.options import names_mask_files
from motion324.core.pace import Pace
from motion324.wire.job_requests import JobRequest
from motion324.wire.protocol import Message, ProgressEvent
from motion324.wire.sent_files import NamedFiles, check_all_are_here, files_of, fingerprint
from motion324.wire.transport import TICK
from motion324.wire.upload_messages import PART_BYTES, SeesFiles, Upload, UploadedPath, UploadPart

SEND = "send"  # the stage that a client reports while it sends; counted in megabytes
PARTS_ON_THEIR_WAY = 4
REPORT_SECONDS = 0.1


class Sending:
    """The files of one request on their way. `received` is called as the backend's answers come.

    post: adds a message to those that go out. events: get ProgressEvents; once they are over, nothing more is sent.
    """

    def __init__(self, events: JobEvents, post: Callable[[Message], None]) -> None:
        self._events = events
        self._post = post
        self._changed = threading.Condition()
        self._received = -1
        self._pace = Pace()
        self._reported = 0.0

    def received(self, count: int) -> None:
        """The backend has written `count` bytes."""
        with self._changed:
            self._received = count
            self._changed.notify_all()

    def run(self, files: list[NamedFiles]) -> None:
        """Returns when the backend has everything.

        Raises Cancelled when the job's events are over, and Motion324Error("video-unreadable", "video-changed").
        """
        paths = (UploadedPath(f.role, f.path.name, f.is_folder, tuple((p.name, s) for p, s in f.files)) for f in files)
        upload = Upload(self._events.job_id, tuple(paths))
        total = upload.size
        self._post(upload)
        self._wait_for(0, total)
        sent = 0
        for data in _parts(files):
            self._post(UploadPart(self._events.job_id, data))
            sent += len(data)
            self._wait_for(sent - (PARTS_ON_THEIR_WAY - 1) * PART_BYTES, total)
        self._wait_for(total, total)

    def _wait_for(self, count: int, total: int) -> None:
        """Until the backend has at least `count` bytes."""
        with self._changed:
            while self._received < count:
                if self._events.over:
                    raise Cancelled()
                self._changed.wait(TICK)
            if self._events.over:
                raise Cancelled()
            received = self._received
        now = time.monotonic()
        if now - self._reported >= REPORT_SECONDS or received == total:
            self._reported = now
            remaining = self._pace.update(SEND, received, total, now)
            megabytes = (round(received / 1e6), max(round(total / 1e6), 1))
            self._events.add(ProgressEvent(self._events.job_id, SEND, *megabytes, remaining))


def may_need_files(request: JobRequest, same_machine: bool) -> bool:
    """Whether the request names files that a backend, on this machine or not, may have to be sent."""
    names_files = isinstance(request.video, Path) or names_mask_files(request.options.mask)
    return names_files and (not same_machine if request.send_video is None else request.send_video)


def files_to_send(request: JobRequest, ask: Callable[[SeesFiles], tuple[bool, ...]]) -> list[NamedFiles]:
    """Those of the request's files that the backend needs. ask: puts the question to it.

    Raises Motion324Error("video-missing", "video-unreadable"), and what `ask` raises.
    """
    try:
        found = files_of(request)
    except OSError as error:
        raise _file_error("video-unreadable", error.filename, f"cannot be read ({error.strerror or error})") from error
    if request.send_video:
        check_all_are_here(request, found)
        return found
    if not found:
        return []
    seen = ask(SeesFiles(tuple((str(named.path), fingerprint(named.path)) for named in found)))
    return [named for named, known in zip(found, seen, strict=True) if not known]


def _parts(files: list[NamedFiles]) -> Iterator[np.ndarray]:
    """The bytes of all files in order, PART_BYTES at a time, so that thousands of small images are few messages."""
    waiting = bytearray()
    for named in files:
        for path, size in named.files:
            left = size
            try:
                with path.open("rb") as file:
                    while left:
                        data = file.read(min(PART_BYTES - len(waiting), left))
                        if not data:
                            raise _file_error("video-changed", path, "became shorter while it was sent")
                        left -= len(data)
                        waiting += data
                        if len(waiting) == PART_BYTES:
                            yield np.frombuffer(bytes(waiting), np.uint8)
                            waiting.clear()
            except OSError as error:
                raise _file_error("video-unreadable", path, f"cannot be read ({error.strerror or error})") from error
    if waiting:
        yield np.frombuffer(bytes(waiting), np.uint8)


def _file_error(code: str, path: object, what: str) -> Motion324Error:
    return Motion324Error(code, f"The file '{path}' {what}.", "Check the file, then start again.", EXIT_BAD_VIDEO)
