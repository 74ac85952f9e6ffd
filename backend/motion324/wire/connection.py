"""Carries whole messages over a connected socket, within limits of time, and says what broke where one breaks."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from motion324.wire.framing import MESSAGE_LIMITS, PREFIX, IncomingMessage, Limits
from motion324.wire.transport import limit_waits, receive_some, send_some

STALL_SECONDS = 60.0  # no byte either way for so long means that the other side is gone; slow is not gone
READER_PATIENCE = 4  # times as long, for a side that still sends, but reads nothing
_PORTION = 32 << 20  # bytes per system call; some systems refuse more than 2 GiB
_BUFFERS = 64  # buffers per system call; some systems refuse more than 1024


class ConnectionLost(Exception):
    """The other side closed the connection, died, or stopped reading or writing; the text says which."""


class WritingFailed(ConnectionLost):
    """Nothing can be written any more; what the other side has written before it left may still be read."""


class WaitedTooLong(ConnectionLost):
    """Nothing came within the time that the caller was ready to wait."""


class Connection:
    """A connected socket that carries whole messages. One thread may send while another receives.

    last_heard: time.monotonic() when the last byte came.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._closed = threading.Event()
        self._why_closed = "it was closed on this side"
        self.last_heard = time.monotonic()
        limit_waits(sock)

    def send(self, buffers: Sequence[memoryview], stall: float = STALL_SECONDS) -> None:
        """Writes all buffers. Raises WritingFailed, or ConnectionLost when the other side is gone: it reads nothing for
        `stall` seconds and says nothing either, or reads nothing for much longer.
        """
        moved = time.monotonic()
        pending = [buffer.cast("B") for buffer in buffers if buffer.nbytes]
        first = 0
        while first < len(pending):
            self._check_open()
            try:
                sent = send_some(self._socket, _portion(pending, first))
            except OSError as error:
                self._check_open()
                raise WritingFailed(f"it broke while writing ({error})") from error
            moved = time.monotonic() if sent else moved
            while sent and sent >= pending[first].nbytes:
                sent -= pending[first].nbytes
                pending[first] = memoryview(b"")
                first += 1
            if sent:
                pending[first] = pending[first][sent:]
            self.check_reader(moved, stall)

    def check_reader(self, moved: float, stall: float) -> None:
        """Raises ConnectionLost where the other side counts as gone, see `send`. moved: when it last read something."""
        unread = time.monotonic() - moved
        if unread > READER_PATIENCE * stall or min(unread, time.monotonic() - self.last_heard) > stall:
            raise ConnectionLost(f"the other side has read nothing for {unread:.0f} s")

    def receive(
        self, limits: Limits = MESSAGE_LIMITS, wait: float | None = None, total: float | None = None
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The next message, which must come whole, as in the handshake; all others: motion324.wire.inbox.Inbox.

        wait: seconds until its first byte must have come; None waits until the connection is closed. total: seconds
        for each of its parts from the first byte to the last; None: no limit.
        Raises WaitedTooLong, ConnectionLost, or Motion324Error("bad-message") after which nothing more can be read.
        """
        prefix = np.empty(PREFIX.size, np.uint8)
        self.receive_into(prefix, wait, total)
        incoming = IncomingMessage(prefix.tobytes(), limits)
        for space in incoming.spaces(incoming.left):
            self.receive_into(space, total=total)
        return incoming.message()

    def receive_into(self, target: np.ndarray, wait: float | None = STALL_SECONDS, total: float | None = None) -> None:
        """Fills target (B,) uint8. wait: seconds until the first byte; total: until the last; None: no limit.

        Raises WaitedTooLong or ConnectionLost.
        """
        view = target.data
        began = moved = time.monotonic()
        filled = 0
        while filled < len(view):
            self._check_open()
            try:
                count = receive_some(self._socket, view[filled : filled + _PORTION])
            except OSError as error:
                self._check_open()
                raise ConnectionLost(f"it broke while reading ({error})") from error
            now = time.monotonic()
            if count == 0:
                self._check_open()
                raise ConnectionLost("the other side closed the connection")
            if count:
                began = began if filled else now
                moved = self.last_heard = now
                filled += count
            elif not filled and wait is not None and now - began > wait:
                raise WaitedTooLong(f"nothing came for {wait:g} s")
            elif filled and now - moved > STALL_SECONDS:
                raise ConnectionLost(f"a message stopped half-way, and nothing came for {now - moved:.0f} s")
            if total is not None and 0 < filled < len(view) and now - began > total:
                raise ConnectionLost("a message came too slowly")

    def drain(self, seconds: float) -> None:
        """Reads and forgets what still comes, for `seconds` at most. Closing a connection with unread bytes would also
        take away from the other side what it has not read yet, such as the error that explains the closing.
        """
        deadline = time.monotonic() + seconds
        waste = np.empty(1 << 20, np.uint8).data
        while time.monotonic() < deadline and not self.closed:
            try:
                if receive_some(self._socket, waste) == 0:
                    return
            except OSError:
                return

    def close(self, why: str = "") -> None:
        """Ends the connection at once, also for a thread that waits in it and is told why. May be called twice, by any
        thread.
        """
        if why and not self.closed:
            self._why_closed = why
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ConnectionLost(self._why_closed)


def _portion(pending: list[memoryview], first: int) -> list[memoryview]:
    """What one system call should take of the buffers from pending[first] on."""
    portion: list[memoryview] = []
    size = 0
    for buffer in pending[first : first + _BUFFERS]:
        portion.append(buffer[: _PORTION - size])
        size += portion[-1].nbytes
        if size >= _PORTION:
            break
    return portion
