"""Encodes messages as bytes, and makes messages of received bytes, within limits of size.

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
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.wire import safetensors_body

PREFIX = struct.Struct("<4sIQ")
MAGIC, PIECE, ABANDONED, ACKNOWLEDGED = b"M324", b"M32P", b"M32X", b"M32A"
_FORGOTTEN = 1 << 20  # bytes at once of what there is no memory for


@dataclass(frozen=True)
class Limits:
    """The largest message that is read, in bytes of header and body, and number of arrays."""

    header: int
    body: int
    arrays: int


MESSAGE_LIMITS = Limits(header=16 << 20, body=8 << 30, arrays=4096)
HELLO_LIMITS = Limits(header=64 << 10, body=0, arrays=0)


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
