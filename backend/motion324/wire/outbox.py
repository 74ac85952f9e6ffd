"""Sends messages in two lanes, control and bulk, on a thread of its own, so that others wait only if they choose to.

Control messages go out before bulk, always. Bulk messages are cut into pieces; those of one job go out in order, those
of several jobs take turns, and no more is on its way than motion324.wire.flow allows.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable

from motion324.core.errors import Cancelled
from motion324.wire.connection import STALL_SECONDS, Connection, ConnectionLost, WritingFailed
from motion324.wire.flow import Window
from motion324.wire.framing import ABANDONED, ACKNOWLEDGED, PIECE, PREFIX, encode
from motion324.wire.message import BulkMessage, Message
from motion324.wire.protocol import to_wire
from motion324.wire.transport import TICK

ROOM_BYTES = 256 << 20  # bulk that may wait to be written before frames wait
PREVIEW_ROOM_BYTES = 4 << 20  # before previews are left out, on a slow line; on a fast one more may wait
PREVIEW_WINDOWS = 16  # as a multiple of what may be on its way: some seconds
MAX_WAITING = 4096  # control messages that may wait before the reader counts as dead
MAX_OPEN = 8  # jobs of which a bulk message is partly written
_BUFFERS = 64  # to be written at a time


class _Bulk:
    """A bulk message of which `left` bytes are still to be cut into pieces. number: 0 until the first of them is."""

    def __init__(self, buffers: list[memoryview]) -> None:
        self._buffers = deque(buffer.cast("B") for buffer in buffers if buffer.nbytes)
        self.left = self.size = _size(buffers)
        self.number = 0

    def cut(self, most: int) -> list[memoryview]:
        """The next bytes: at least one, at most `most`."""
        piece: list[memoryview] = []
        while self._buffers and most and len(piece) < _BUFFERS:
            part = self._buffers[0][:most]
            piece.append(part)
            if part.nbytes == self._buffers[0].nbytes:
                self._buffers.popleft()
            else:
                self._buffers[0] = self._buffers[0][part.nbytes :]
            most -= part.nbytes
            self.left -= part.nbytes
        return piece


class Outbox:
    """The messages that wait to be written to one connection.

    post() never waits; offer() leaves the message out where there is no room; put() waits for room.
    Arrays are referred to, not copied: whoever hands one over must not change it any more.
    Where the reader is gone, the connection is closed, and everything that waits is dropped.
    """

    def __init__(self, connection: Connection, name: str, stall: float = STALL_SECONDS) -> None:
        self._connection = connection
        self._stall = stall
        self._changed = threading.Condition()
        self._control: dict[object, list[memoryview]] = {}  # in order of insertion
        self._bulk: dict[str, deque[_Bulk]] = {}  # by job; the next one's turn first
        self._bytes = 0  # of bulk, until it is written
        self._window = Window()
        self._moved = time.monotonic()  # when the reader last took or acknowledged anything
        self._numbers = itertools.count(1)
        self._received: int | None = None  # to be acknowledged
        self._writing = False
        self._closing = False
        self._thread = threading.Thread(target=self._write_all, name=f"{name} outbox", daemon=True)
        self._thread.start()

    def post(self, message: Message, replaces: str | None = None) -> None:
        """Adds a message at the end of its lane; one of the control lane takes with `replaces` the place of an older
        one of that name which still waits.

        Raises Motion324Error("message-too-large").
        """
        buffers = encode(*to_wire(message))
        with self._changed:
            if self._closing:
                return
            if isinstance(message, BulkMessage):
                self._add_bulk(message.job_id, buffers)
                return
            self._control[object() if replaces is None else replaces] = buffers
            self._changed.notify_all()
            if len(self._control) > MAX_WAITING:
                self._drop_everything(f"the other side left {MAX_WAITING} messages unread")

    def offer(self, message: BulkMessage) -> bool:
        """Adds a bulk message unless there is no room. Returns whether it was added."""
        with self._changed:
            room = max(PREVIEW_ROOM_BYTES, PREVIEW_WINDOWS * self._window.size)
            if self._bytes >= min(ROOM_BYTES, room):
                return False
        self.post(message)
        return True

    def put(self, message: BulkMessage, check: Callable[[], None], ahead: int | None = None) -> None:
        """Adds a bulk message as soon as there is room, calling `check` at least four times a second while it waits.

        ahead: bytes of the same job that may wait before it; None: any, as long as there is room in all.
        Lets pass what `check` raises. Raises Cancelled where the connection is gone, since nobody waits for it then.
        """
        buffers = encode(*to_wire(message))
        while True:
            check()
            with self._changed:
                if self._closing:
                    raise Cancelled()
                waiting = sum(bulk.left for bulk in self._bulk.get(message.job_id, ()))
                if self._bytes < ROOM_BYTES and (ahead is None or waiting < ahead):
                    self._add_bulk(message.job_id, buffers)
                    return
                self._changed.wait(TICK)

    def drop(self, job_id: str) -> None:
        """Leaves out what still waits of a job's bulk: the job is over or cancelled."""
        with self._changed:
            for bulk in self._bulk.pop(job_id, ()):
                self._bytes -= bulk.left
                if bulk.number:
                    self._control[object()] = [memoryview(PREFIX.pack(ABANDONED, 0, bulk.number))]
            self._changed.notify_all()

    def acknowledge(self, received: int) -> None:
        """To be called when so many bytes of bulk have been received on this connection, in all."""
        with self._changed:
            self._received = received
            self._changed.notify_all()

    def acknowledged(self, total: int) -> None:
        """To be called when the other side has told how many bytes of bulk it has received, in all."""
        with self._changed:
            self._moved = time.monotonic()
            self._window.acknowledge(total, self._moved)
            self._changed.notify_all()

    def close(self, flush: float = 0.0) -> None:
        """Ends the outbox and the connection, after waiting up to `flush` seconds for what is still to be written."""
        self.flush(flush)
        with self._changed:
            self._drop_everything()

    def flush(self, timeout: float) -> None:
        """Waits until everything is written, or the connection is gone, or `timeout` seconds have passed."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while (self._control or self._bulk or self._writing) and not self._closing:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(min(left, TICK / 4))

    def _add_bulk(self, job_id: str, buffers: list[memoryview]) -> None:
        if not self._bytes:
            self._moved = time.monotonic()
        bulk = _Bulk(buffers)
        self._bulk.setdefault(job_id, deque()).append(bulk)
        self._bytes += bulk.left
        self._changed.notify_all()

    def _drop_everything(self, why: str = "") -> None:
        self._connection.close(why)
        self._forget_everything()

    def _forget_everything(self) -> None:
        self._closing = True
        self._control.clear()
        self._bulk.clear()
        self._bytes = 0
        self._changed.notify_all()

    def _write_all(self) -> None:
        try:
            while True:
                with self._changed:
                    buffers, size = self._next()
                    if self._closing:
                        return
                self._connection.send(buffers, self._stall)
                with self._changed:
                    # Counted until it is written, so that what waits and what is being written stay within bounds.
                    self._bytes = max(self._bytes - size, 0)
                    self._moved = time.monotonic()
                del buffers
        except WritingFailed:  # the reader of this connection will meet its end, after what has still come
            with self._changed:
                self._forget_everything()
        except ConnectionLost as error:
            with self._changed:
                self._drop_everything(str(error))

    def _next(self) -> tuple[list[memoryview], int]:
        """What is to be written next, as soon as there is something, and how many bytes of bulk that is.

        Raises ConnectionLost where the reader acknowledges nothing any more.
        """
        self._writing = False
        self._changed.notify_all()
        while not self._closing:
            found = self._next_of_control() or self._next_of_bulk()
            if found is not None:
                self._writing = True
                return found
            if self._bytes:
                self._connection.check_reader(self._moved, self._stall)
            self._changed.wait(TICK if self._bytes else None)
        return [], 0

    def _next_of_control(self) -> tuple[list[memoryview], int] | None:
        if self._received is not None:
            total, self._received = self._received, None
            return [memoryview(PREFIX.pack(ACKNOWLEDGED, 0, total))], 0
        for key in self._control:
            return self._control.pop(key), 0
        return None

    def _next_of_bulk(self) -> tuple[list[memoryview], int] | None:
        room = self._window.room()
        if not room or not self._bulk:
            return None
        begun = sum(1 for bulks in self._bulk.values() if bulks[0].number)
        job_id = next(job for job, bulks in self._bulk.items() if bulks[0].number or begun < MAX_OPEN)
        bulks = self._bulk.pop(job_id)
        bulk = bulks[0]
        bulk.number = bulk.number or next(self._numbers)
        piece = bulk.cut(room)
        if not bulk.left:
            bulks.popleft()
        if bulks:
            self._bulk[job_id] = bulks  # behind the others
        size = _size(piece)
        self._window.send(size, time.monotonic())
        return [memoryview(PREFIX.pack(PIECE, size, bulk.number)), *piece], size


def _size(buffers: list[memoryview]) -> int:
    return sum(buffer.nbytes for buffer in buffers)
