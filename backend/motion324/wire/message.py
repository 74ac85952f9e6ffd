"""Defines the base classes of all messages, and reads a received message's fields with checks.

Nothing that came over the wire is used before its type is known.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from motion324.core.errors import EXIT_BACKEND, Motion324Error

MAX_TEXT = 32_768
MAX_ID = 100  # letters of a job's or a question's id
Arrays = dict[str, np.ndarray]


def new_id() -> str:
    return uuid.uuid4().hex


class Message:
    """The base of all messages, which are frozen dataclasses; a message of plain JSON fields is sent as it stands."""

    kind: ClassVar[str]

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        """The message's JSON values; its arrays are put into `arrays`."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Message:
        """Raises Motion324Error("bad-message") where a field is missing or wrong."""
        raise NotImplementedError


class BulkMessage(Message):
    """The base of those that may be large. They go out in motion324.wire.outbox's second lane: behind all others, and
    behind those of the same job that were there before them.
    """

    job_id: str


class MessageFields:
    """The header and the arrays of one received message; every method raises Motion324Error("bad-message") that names
    the message's kind, the field, what came and what was expected.

    shape entries: a number, None for any size, or a letter that means the same size wherever it comes in the message.
    """

    def __init__(self, kind: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self.kind = kind
        self._header = header
        self._arrays = arrays
        self.sizes: dict[str, int] = {}

    def has(self, name: str) -> bool:
        return self._header.get(name) is not None

    def text(self, name: str, limit: int = MAX_TEXT) -> str:
        value = self._header.get(name)
        if not isinstance(value, str) or len(value) > limit:
            raise self.wrong(name, f"must be a text of at most {limit} letters")
        return value

    def whole(self, name: str, low: int = 0, high: int = 1 << 53) -> int:
        value = self._header.get(name)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(name, f"is {_short(value)}; it must be a whole number from {low} to {high}")
        return value

    def number(self, name: str) -> float:
        value = self._header.get(name)
        if not _is_finite(value):
            raise self.wrong(name, f"is {_short(value)}; it must be a finite number")
        return float(value)  # type: ignore[arg-type]

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        values = self.items(name, limit=count)
        if len(values) != count or not all(_is_finite(value) for value in values):
            raise self.wrong(name, f"must be {count} finite numbers")
        return tuple(float(value) for value in values)

    def flag(self, name: str) -> bool:
        value = self._header.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, f"is {_short(value)}; it must be true or false")
        return value

    def items(self, name: str, limit: int) -> list[Any]:
        value = self._header.get(name)
        if not isinstance(value, list) or len(value) > limit:
            raise self.wrong(name, f"must be a list of at most {limit} items")
        return value

    def texts(self, name: str, limit: int = 256) -> tuple[str, ...]:
        values = self.items(name, limit)
        if not all(isinstance(value, str) and len(value) <= MAX_TEXT for value in values):
            raise self.wrong(name, "must be a list of texts")
        return tuple(values)

    def record(self, name: str) -> dict[str, Any]:
        value = self._header.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "must be a JSON object")
        return value

    def within(self, name: str, value: Any) -> MessageFields:
        """The fields of an object inside this message, with the same arrays and sizes."""
        if not isinstance(value, dict):
            raise self.wrong(name, "must be a JSON object")
        inner = MessageFields(f"{self.kind}.{name}", value, self._arrays)
        inner.sizes = self.sizes
        return inner

    def has_array(self, name: str) -> bool:
        return name in self._arrays

    def array(self, name: str, dtype: str, shape: tuple[int | str | None, ...]) -> np.ndarray:
        array = self._arrays.get(name)
        if array is None:
            raise self.wrong(name, "is missing")
        if array.dtype != np.dtype(dtype):
            raise self.wrong(name, f"has the type {array.dtype}; it must be {dtype}")
        wanted = tuple(self.sizes.get(size) if isinstance(size, str) else size for size in shape)
        same = array.ndim == len(wanted) and all(
            want is None or want == size for want, size in zip(wanted, array.shape, strict=True)
        )
        if not same:
            expected = ", ".join("any" if want is None else str(want) for want in wanted)
            raise self.wrong(name, f"has the shape {array.shape}; it must be ({expected})")
        for letter, size in zip(shape, array.shape, strict=True):
            if isinstance(letter, str):
                self.sizes[letter] = size
        return array

    def indices(self, name: str, shape: tuple[int | str | None, ...], below: int, dtype: str = "int32") -> np.ndarray:
        """An array of which every value lies in 0..below-1."""
        array = self.array(name, dtype, shape)
        if array.size and (array.min() < 0 or array.max() >= below):
            raise self.wrong(name, f"has values from {array.min()} to {array.max()}; they must lie in 0..{below - 1}")
        return array

    def wrong(self, name: str, why: str) -> Motion324Error:
        return Motion324Error(
            "bad-message",
            f"In a message '{self.kind}' between Blender and the backend, {name} {why}.",
            "This is a defect of Motion324 or of the program that sent it; please report it with the log.",
            EXIT_BACKEND,
        )


def _is_finite(value: object) -> bool:
    """Also False for whole numbers beyond what a float holds, and for True and False."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def _short(value: object) -> str:
    return repr(value)[:80]
