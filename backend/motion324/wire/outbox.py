"""Messages on their way out: one thread writes them, so that others wait for a slow reader only if they choose to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from motion324.core.errors import Cancelled
from motion324.wire.framing import STALL_SECONDS, Connection, ConnectionLost, encode
from motion324.wire.protocol import Message, to_wire
from motion324.wire.transport import TICK

ROOM_BYTES = 256 << 20  # what may wait to be written before frames wait, or previews are left out
MAX_WAITING = 4096  # small messages that may wait before the reader counts as dead


class Outbox:
    """The messages that wait to be written to one connection, in order.

    post() never waits; offer() leaves the message out where there is no room; put() waits for room.
    Arrays are referred to, not copied: whoever hands one over must not change it any more.
    Where the reader stalls, the connection is closed, and everything that waits is dropped.
    """

    def __init__(self, connection: Connection, name: str, stall: float = STALL_SECONDS) -> None:
        self._connection = connection
        self._stall = stall
        self._changed = threading.Condition()
        self._waiting: dict[object, list[memoryview]] = {}  # in order of insertion
        self._bytes = 0
        self._writing = False
        self._closing = False
        self._thread = threading.Thread(target=self._write_all, name=f"{name} outbox", daemon=True)
        self._thread.start()

    def post(self, message: Message, replaces: str | None = None) -> None:
        """Adds a message at the end; with `replaces`, an older one of that name which still waits is left out.

        Raises Motion324Error("message-too-large").
        """
        buffers = encode(*to_wire(message))
        with self._changed:
            if self._closing:
                return
            self._add(object() if replaces is None else replaces, buffers)
            if len(self._waiting) > MAX_WAITING:
                self._drop_everything(f"the other side left {MAX_WAITING} messages unread")

    def offer(self, message: Message) -> bool:
        """Adds a message unless there is no room. Returns whether it was added."""
        with self._changed:
            if self._bytes >= ROOM_BYTES:
                return False
        self.post(message)
        return True

    def put(self, message: Message, check: Callable[[], None]) -> None:
        """Adds a message as soon as there is room, calling `check` at least four times a second while it waits.

        Lets pass what `check` raises. Raises Cancelled where the connection is gone, since nobody waits for it then.
        """
        buffers = encode(*to_wire(message))
        while True:
            check()
            with self._changed:
                if self._closing:
                    raise Cancelled()
                if self._bytes < ROOM_BYTES:
                    self._add(object(), buffers)
                    return
                self._changed.wait(TICK)

    def close(self, flush: float = 0.0) -> None:
        """Ends the outbox and the connection, after waiting up to `flush` seconds for what is still to be written."""
        self.flush(flush)
        with self._changed:
            self._drop_everything()

    def flush(self, timeout: float) -> None:
        """Waits until everything is written, or the connection is gone, or `timeout` seconds have passed."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while (self._waiting or self._writing) and not self._closing and time.monotonic() < deadline:
                self._changed.wait(TICK / 4)

    def _add(self, key: object, buffers: list[memoryview]) -> None:
        self._remove(key)
        self._waiting[key] = buffers
        self._bytes += _size(buffers)
        self._changed.notify_all()

    def _remove(self, key: object) -> list[memoryview]:
        buffers = self._waiting.pop(key, [])
        self._bytes -= _size(buffers)
        return buffers

    def _drop_everything(self, why: str = "") -> None:
        self._closing = True
        self._waiting.clear()
        self._bytes = 0
        self._connection.close(why)
        self._changed.notify_all()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                while not self._waiting and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                key = next(iter(self._waiting))
                buffers = self._waiting[key]
                del self._waiting[key]
                self._writing = True
            try:
                self._connection.send(buffers, self._stall)
            except ConnectionLost as error:
                with self._changed:
                    self._drop_everything(str(error))
                return
            with self._changed:
                # Counted until it is written, so that what waits and what is being written stay within bounds together.
                self._bytes = max(self._bytes - _size(buffers), 0)
            del buffers


def _size(buffers: list[memoryview]) -> int:
    return sum(buffer.nbytes for buffer in buffers)
