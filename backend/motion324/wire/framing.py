"""Encodes messages as bytes, and sends and receives them on a connected socket, within limits of size and time.

A message is 16 bytes (b"M324", the header's length as uint32, the body's as uint64, little-endian), the header as JSON,
then the body: a safetensors buffer, or nothing. This layout outlives protocol versions, since the handshake's first
message, which tells the versions apart, is one of these.

After the handshake, control messages are sent like that; bulk messages are cut into pieces, between which control
messages and pieces of others may come. All begin with 16 bytes of the same layout, (magic, uint32, uint64):
    b"M32P"  size, number    the next `size` bytes of the bulk message of that number; together they are a message
    b"M32X"  0, number       the rest of that message will not come
    b"M32A"  0, total        so many bytes of pieces have been received since the beginning
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.wire import safetensors_body
from motion324.wire.transport import limit_waits, receive_some, send_some

PREFIX = struct.Struct("<4sIQ")
MAGIC, PIECE, ABANDONED, ACKNOWLEDGED = b"M324", b"M32P", b"M32X", b"M32A"
STALL_SECONDS = 60.0  # no byte either way for so long means that the other side is gone; slow is not gone
READER_PATIENCE = 4  # times as long, for a side that still sends, but reads nothing
_PORTION = 32 << 20  # bytes per system call; some systems refuse more than 2 GiB
_FORGOTTEN = 1 << 20  # bytes at once of what there is no memory for
_BUFFERS = 64  # buffers per system call; some systems refuse more than 1024


@dataclass(frozen=True)
class Limits:
    """The largest message that is read, in bytes of header and body, and number of arrays."""

    header: int
    body: int
    arrays: int


MESSAGE_LIMITS = Limits(header=16 << 20, body=8 << 30, arrays=4096)
HELLO_LIMITS = Limits(header=64 << 10, body=0, arrays=0)


class ConnectionLost(Exception):
    """The other side closed the connection, died, or stopped reading or writing; the text says which."""


class WritingFailed(ConnectionLost):
    """Nothing can be written any more; what the other side has written before it left may still be read."""


class WaitedTooLong(ConnectionLost):
    """Nothing came within the time that the caller was ready to wait."""


def encode(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[memoryview]:
    """One message as buffers to be sent in this order; contiguous arrays are referred to, not copied.

    Raises Motion324Error("message-too-large") where the other side would refuse it.
    """
    text = json.dumps(header, separators=(",", ":"), default=_plain_value).encode()
    body = safetensors_body.to_buffers(arrays) if arrays else []
    size = sum(piece.nbytes for piece in body)
    if len(text) > MESSAGE_LIMITS.header or size > MESSAGE_LIMITS.body or len(arrays) > MESSAGE_LIMITS.arrays:
        raise Motion324Error(
            "message-too-large",
            f"The data of {size / 1e9:.1f} GB in {len(arrays)} arrays is too large to pass between Blender and the "
            f"backend, which takes {MESSAGE_LIMITS.body / 1e9:.1f} GB at once.",
            "Use fewer frames, fewer vertices or smaller textures.",
            EXIT_BACKEND,
        )
    return [memoryview(PREFIX.pack(MAGIC, len(text), size) + text), *body]


class UnusableMessage(Motion324Error):
    """A message came whole and is of no use, so that the next one can be read. about: the id in its header, or ""."""

    def __init__(self, error: Motion324Error, about: str) -> None:
        super().__init__(error.code, error.sentence, error.hint, error.exit_code)
        self.about = about


class IncomingMessage:
    """A message of which more and more has come. prefix: its first 16 bytes.

    Where there is no memory for its body, that is read and forgotten.

    Raises Motion324Error("bad-message") where it claims more than `limits`.
    """

    def __init__(self, prefix: bytes, limits: Limits) -> None:
        magic, header_size, body_size = PREFIX.unpack(prefix)
        if magic != MAGIC:
            raise safetensors_body.malformed("it does not begin as a message of Motion324")
        if header_size > limits.header or body_size > limits.body:
            raise safetensors_body.malformed(
                f"it claims a header of {header_size} and a body of {body_size} bytes, "
                f"where at most {limits.header} and {limits.body} are allowed"
            )
        self._text = np.empty(header_size, np.uint8)
        self._body: np.ndarray | None = None
        with contextlib.suppress(MemoryError):
            self._body = np.empty(body_size, np.uint8)
        self._body_size = body_size
        self._limits = limits
        self._filled = 0

    @property
    def left(self) -> int:
        """Bytes that have not come yet."""
        return self._text.size + self._body_size - self._filled

    def spaces(self, count: int) -> Iterator[np.ndarray]:
        """Where the next `count` bytes go, at most `left`: arrays (B,) uint8 to be filled one after the other."""
        while count:
            begin = self._filled - self._text.size
            if begin < 0:
                space = self._text[self._filled : self._filled + count]
            elif self._body is not None:
                space = self._body[begin : begin + count]
            else:
                space = np.empty(min(count, _FORGOTTEN), np.uint8)
            self._filled += space.size
            count -= space.size
            yield space

    def message(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Its header and its arrays, once nothing is left to come. Raises UnusableMessage."""
        header: dict[str, Any] = {}
        try:
            header = _parse_header(self._text.tobytes())
            if self._body is None:
                raise _no_memory(self._body_size)
            return header, safetensors_body.from_buffer(self._body, self._limits.arrays) if self._body_size else {}
        except MemoryError as error:
            raise UnusableMessage(_no_memory(self._body_size), about(header)) from error
        except Motion324Error as error:
            raise UnusableMessage(error, about(header)) from error


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


def about(header: Mapping[str, Any]) -> str:
    """The id of the job or the question that a message is about, "" where it names none."""
    found = header.get("job_id", header.get("question_id"))
    return found if isinstance(found, str) else ""


def _no_memory(size: int) -> Motion324Error:
    return Motion324Error(
        "out-of-memory",
        f"There is no memory for a message of {size / 1e6:.0f} MB between Blender and the backend.",
        "Use fewer frames, fewer vertices or smaller textures, or close other programs.",
        EXIT_BACKEND,
    )


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


def _parse_header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise safetensors_body.malformed("its header is not JSON") from error
    if not isinstance(header, dict):
        raise safetensors_body.malformed("its header is not a JSON object")
    return header


def _plain_value(value: object) -> object:
    """What json cannot write by itself but a report may hold: numpy's numbers and arrays, and paths."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be sent")
