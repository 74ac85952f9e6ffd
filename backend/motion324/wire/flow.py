"""Controls the flow: it limits how much bulk is on its way, so that control messages never wait behind a long queue.

A line keeps what it cannot carry at once in buffers: in the kernel, in routers, in an SSH tunnel; tens of seconds'
worth if it is given that much. The other side acknowledges the bulk that it has received; where that takes longer than
the line's own delay, something queues, and less is sent. The idea is that of LEDBAT (RFC 6817): a target for the
queueing delay.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

TARGET_SECONDS = 0.3  # that bulk may wait in the line's buffers
FIRST_WINDOW = 64 << 10  # bytes
SMALLEST_WINDOW = 32 << 10
LARGEST_WINDOW = 32 << 20
SMALLEST_PIECE = 8 << 10
LARGEST_PIECE = 4 << 20
_PIECES_PER_WINDOW = 8


@dataclass(frozen=True)
class _Piece:
    """end: bytes sent up to its end. at: when it was sent. fills: whether the window was in use by half or more."""

    end: int
    at: float
    fills: bool


class Window:
    """Bytes sent and acknowledged on one connection, and how many may be between. No locks and no clock of its own.

    size: bytes that may be on their way.
    """

    def __init__(self) -> None:
        self.size = FIRST_WINDOW
        self._sent = self._acknowledged = 0
        self._pieces: deque[_Piece] = deque()
        self._shortest = math.inf  # seconds from sending to the acknowledgement, with the line empty
        self._shrunk = -math.inf

    @property
    def on_its_way(self) -> int:
        return self._sent - self._acknowledged

    def room(self) -> int:
        """Bytes that the next piece may have; 0 where an acknowledgement has to come first."""
        piece = min(max(self.size // _PIECES_PER_WINDOW, SMALLEST_PIECE), LARGEST_PIECE)
        return piece if self.on_its_way + piece <= self.size else 0

    def send(self, count: int, now: float) -> None:
        """To be called before a piece of `count` bytes is written."""
        self._sent += count
        self._pieces.append(_Piece(self._sent, now, fills=2 * self.on_its_way >= self.size))

    def acknowledge(self, total: int, now: float) -> None:
        """To be called when the other side has received `total` bytes since the beginning."""
        total = min(max(total, self._acknowledged), self._sent)
        fresh, self._acknowledged = total - self._acknowledged, total
        piece = None
        while self._pieces and self._pieces[0].end <= total:
            piece = self._pieces.popleft()
        if piece is None:
            return
        taken = now - piece.at
        self._shortest = min(self._shortest, taken)
        waited = taken - self._shortest
        if waited > TARGET_SECONDS:
            if piece.at >= self._shrunk:  # once for all pieces that were on their way together
                fitting = self.size * (self._shortest + TARGET_SECONDS) / taken
                self.size = max(int(fitting), SMALLEST_WINDOW)
                self._shrunk = now
        elif piece.fills:
            # Slower near the target; but some, since a busy interpreter answers late on a fast line, too.
            growth = 1.0 if waited < TARGET_SECONDS / 2 else 0.25
            self.size = min(self.size + int(growth * fresh), LARGEST_WINDOW)
