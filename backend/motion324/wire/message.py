"""What every message between Blender and the backend has in common."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any, ClassVar

from motion324.wire.fields import MessageFields
from motion324.wire.payloads import Arrays

MAX_ID = 100  # letters of a job's or a question's id


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
