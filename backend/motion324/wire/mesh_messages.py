"""The messages of a mesh that is made from a video's first used frame. From Blender: MeshRequest. From the backend, as
of an animation job: Queued, ProgressEvent, and last a MeshEvent or an ErrorMessage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from motion324.core.clip import VideoClip
from motion324.core.mesh_settings import MeshSettings
from motion324.core.options import AnimateOptions
from motion324.core.result import MadeMesh
from motion324.wire.fields import MessageFields
from motion324.wire.message import MAX_ID, Message, new_id
from motion324.wire.payloads import Arrays, made_mesh_from_wire, made_mesh_to_wire, video_from_wire, video_to_wire


@dataclass(frozen=True)
class MeshRequest(Message):
    """A mesh of what the first used frame shows.

    video: a path on the backend's machine, or the frames themselves. options: frames, video_fps and mask count.
    send_video: see motion324.wire.animate_messages.AnimateRequest.
    """

    kind: ClassVar[str] = "make-mesh"
    video: Path | VideoClip
    options: AnimateOptions = field(default_factory=AnimateOptions)
    settings: MeshSettings = field(default_factory=MeshSettings)
    send_video: bool | None = None
    job_id: str = field(default_factory=new_id)

    @property
    def video_name(self) -> str:
        return self.video.name

    @property
    def doing(self) -> str:
        """What the backend does, for people."""
        return f"making a mesh from {self.video_name}"

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "options": self.options.to_dict(),
            "settings": self.settings.to_dict(),
            "video": video_to_wire(self.video, arrays),
        }

    @classmethod
    def from_wire(cls, fields: MessageFields) -> MeshRequest:
        return cls(
            video=video_from_wire(fields.within("video", fields.record("video"))),
            options=AnimateOptions.from_dict(fields.record("options")),
            settings=MeshSettings.from_dict(fields.record("settings")),
            job_id=fields.text("job_id", MAX_ID),
        )


@dataclass(frozen=True)
class MeshEvent(Message):
    """The end of the making of a mesh that went well."""

    kind: ClassVar[str] = "mesh"
    job_id: str
    made: MadeMesh

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {"job_id": self.job_id, "made": made_mesh_to_wire(self.made, arrays)}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> MeshEvent:
        return cls(
            job_id=fields.text("job_id", MAX_ID),
            made=made_mesh_from_wire(fields.within("made", fields.record("made"))),
        )
