"""The messages of a quick look at a video. From Blender: ExamineRequest. From the backend, as of an animation job:
Queued, ProgressEvent, and last an ExaminationEvent or an ErrorMessage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from motion324.core.clip import VideoClip
from motion324.core.options import AnimateOptions
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.result import Examination
from motion324.wire.fields import MessageFields
from motion324.wire.message import MAX_ID, Message, new_id
from motion324.wire.payloads import (
    Arrays,
    examination_from_wire,
    examination_to_wire,
    mesh_from_wire,
    mesh_to_wire,
    video_from_wire,
    video_to_wire,
)


@dataclass(frozen=True)
class ExamineRequest(Message):
    """A quick look at a video, and at how a mesh fits its first used frame.

    video: a path on the backend's machine, or the frames themselves. mesh: None where no view is asked for.
    send_video: see motion324.wire.animate_messages.AnimateRequest.
    """

    kind: ClassVar[str] = "examine"
    video: Path | VideoClip
    options: AnimateOptions = field(default_factory=AnimateOptions)
    mesh: ReferenceMesh | None = None
    send_video: bool | None = None
    job_id: str = field(default_factory=new_id)

    @property
    def video_name(self) -> str:
        return self.video.name

    @property
    def doing(self) -> str:
        """What the backend does, for people."""
        return f"examining {self.video_name}"

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "options": self.options.to_dict(),
            "mesh": None if self.mesh is None else mesh_to_wire(self.mesh, arrays),
            "video": video_to_wire(self.video, arrays),
        }

    @classmethod
    def from_wire(cls, fields: MessageFields) -> ExamineRequest:
        mesh = fields.within("mesh", fields.record("mesh")) if fields.has("mesh") else None
        return cls(
            video=video_from_wire(fields.within("video", fields.record("video"))),
            options=AnimateOptions.from_dict(fields.record("options")),
            mesh=None if mesh is None else mesh_from_wire(mesh),
            job_id=fields.text("job_id", MAX_ID),
        )


@dataclass(frozen=True)
class ExaminationEvent(Message):
    """The end of a quick look that went well."""

    kind: ClassVar[str] = "examination"
    job_id: str
    examination: Examination

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {"job_id": self.job_id, "examination": examination_to_wire(self.examination, arrays)}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> ExaminationEvent:
        return cls(
            job_id=fields.text("job_id", MAX_ID),
            examination=examination_from_wire(fields.within("examination", fields.record("examination"))),
        )
