"""Receives messages: control messages come whole, and bulk messages in pieces between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from motion324.wire.connection import STALL_SECONDS, Connection
from motion324.wire.framing import ABANDONED, ACKNOWLEDGED, MAGIC, MESSAGE_LIMITS, PIECE, PREFIX, IncomingMessage
from motion324.wire.outbox import Outbox
from motion324.wire.safetensors_body import malformed

MAX_OPEN = 32  # bulk messages of which a part has come


class Inbox:
    """Reads one connection, on one thread. The outbox of the same connection sends its acknowledgements, and gets to
    know those of the other side.
    """

    def __init__(self, connection: Connection, outbox: Outbox) -> None:
        self._connection = connection
        self._outbox = outbox
        self._open: dict[int, IncomingMessage] = {}  # by number
        self._received = 0  # bytes of bulk

    def receive(self, wait: float | None = None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The next message that is complete: its header and its arrays, views into one fresh buffer.

        wait: seconds until anything must have come; None waits until the connection is closed.
        Raises WaitedTooLong, ConnectionLost, or Motion324Error("bad-message") after which nothing more can be read.
        """
        prefix = np.empty(PREFIX.size, np.uint8)
        while True:
            self._connection.receive_into(prefix, wait=wait)
            magic, size, number = PREFIX.unpack(prefix.tobytes())
            if magic == MAGIC:
                whole = IncomingMessage(prefix.tobytes(), MESSAGE_LIMITS)
                self._fill(whole, whole.left)
                return whole.message()
            if magic == PIECE:
                found = self._take_piece(size, number)
                if found is not None:
                    return found.message()
            elif magic == ACKNOWLEDGED:
                self._outbox.acknowledged(number)
            elif magic == ABANDONED:
                self._open.pop(number, None)
            else:
                raise malformed("it does not begin as a message of Motion324")

    def _take_piece(self, size: int, number: int) -> IncomingMessage | None:
        """Reads a piece of a bulk message; the message, once it is complete."""
        left = size
        if number not in self._open:
            if size < PREFIX.size or len(self._open) >= MAX_OPEN:
                raise malformed(f"a first piece of {size} bytes came beside {len(self._open)} unfinished messages")
            prefix = np.empty(PREFIX.size, np.uint8)
            self._connection.receive_into(prefix, wait=STALL_SECONDS)
            self._open[number] = IncomingMessage(prefix.tobytes(), MESSAGE_LIMITS)
            left -= PREFIX.size
        incoming = self._open[number]
        if left > incoming.left:
            raise malformed(f"a piece of {left} bytes came where {incoming.left} were missing")
        self._fill(incoming, left)
        self._received += size
        self._outbox.acknowledge(self._received)
        return None if incoming.left else self._open.pop(number)

    def _fill(self, incoming: IncomingMessage, count: int) -> None:
        for space in incoming.spaces(count):
            self._connection.receive_into(space)
