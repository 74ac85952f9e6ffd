"""Defines the messages by which a client asks for a job: an animation, a quick look at a video, or a mesh made from
one.

Each of these names a video and options; bones for a trajectory are asked for by motion324.wire.rig_messages. All have a
job id, under which their events come back (motion324.wire.events).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from motion324.core.clip import VideoClip
from motion324.core.motion.pins import Pins, read_pins
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.reference_mesh import ReferenceMesh, topology_hash
from motion324.core.result import AnimationResult
from motion324.wire.file_messages import SentFile, sent_files_from_wire, sent_files_to_wire
from motion324.wire.message import MAX_ID, Arrays, BulkMessage, Message, MessageFields, new_id
from motion324.wire.payloads import mesh_from_wire, mesh_to_wire, video_from_wire, video_to_wire
from motion324.wire.pin_messages import last_from_wire, last_to_wire, pins_from_wire, pins_to_wire
from motion324.wire.rig_messages import RigRequest


class VideoRequest(BulkMessage):
    """What all three kinds have.

    video: a path on the backend's machine, or the frames themselves.
    send_video: whether the client sends the files at `video`, and at options.mask where that is a path; None: where the
        backend does not see them. This itself is not sent.
    files: what a client on another machine knows by these paths; motion324.client.file_transfer fills them in.
    """

    job_id: str
    video: Path | VideoClip
    options: AnimateOptions
    send_video: bool | None
    files: tuple[SentFile, ...]

    @property
    def video_name(self) -> str:
        return self.video.name

    @property
    def doing(self) -> str:
        """What the backend does, for people."""
        raise NotImplementedError

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "options": self.options.to_dict(),
            **self.rest_to_wire(arrays),
            "video": video_to_wire(self.video, arrays),
            "files": sent_files_to_wire(self.files),
        }

    def rest_to_wire(self, arrays: Arrays) -> dict[str, Any]:
        """What one kind has besides."""
        raise NotImplementedError


def _read_video_request(fields: MessageFields) -> dict[str, Any]:
    """The arguments that all three kinds have."""
    return {
        "job_id": fields.text("job_id", MAX_ID),
        "video": video_from_wire(fields.within("video", fields.record("video"))),
        "options": AnimateOptions.from_dict(fields.record("options")),
        "files": sent_files_from_wire(fields),
    }


@dataclass(frozen=True)
class AnimateRequest(VideoRequest):
    """One animation job. topology_hash: comes back with the result, so that positions never land on a mesh that changed
    meanwhile.

    pins: what the result has to meet, also instead of those that options.pins names. last: an earlier result of this
    mesh and video, which is then only corrected by the pins.
    """

    kind: ClassVar[str] = "animate"
    job_id: str
    mesh: ReferenceMesh
    video: Path | VideoClip
    options: AnimateOptions
    topology_hash: str
    send_video: bool | None = None
    files: tuple[SentFile, ...] = ()
    pins: Pins | None = None
    last: AnimationResult | None = None

    @classmethod
    def of(
        cls, mesh: ReferenceMesh, video: Path | VideoClip, options: AnimateOptions, send_video: bool | None = None
    ) -> AnimateRequest:
        """A request with a fresh job id and the mesh's own topology hash. Pins that the options name are read here: the
        backend may be on another machine. Raises Motion324Error("bad-pins")."""
        pins = read_pins(Path(options.pins).expanduser()) if options.pins else None
        options = replace(options, pins="")
        return cls(new_id(), mesh, video, options, topology_hash(mesh), send_video, pins=pins)

    @classmethod
    def correcting(
        cls,
        last: AnimationResult,
        pins: Pins,
        mesh: ReferenceMesh,
        video: Path | VideoClip,
        options: AnimateOptions,
        send_video: bool | None = None,
    ) -> AnimateRequest:
        """A request for the same result, corrected by pins."""
        return replace(cls.of(mesh, video, replace(options, pins=""), send_video), pins=pins, last=last)

    @property
    def doing(self) -> str:
        verb = "animating" if self.last is None else "refining"
        return f"{verb} {self.mesh.name} ({len(self.mesh.positions)} vertices) after {self.video_name}"

    def rest_to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {
            "topology_hash": self.topology_hash,
            "mesh": mesh_to_wire(self.mesh, arrays),
            "pins": None if self.pins is None else pins_to_wire(self.pins, arrays),
            "last": None if self.last is None else last_to_wire(self.last, arrays),
        }

    @classmethod
    def from_wire(cls, fields: MessageFields) -> AnimateRequest:
        mesh = mesh_from_wire(fields.within("mesh", fields.record("mesh")))
        last = last_from_wire(fields.within("last", fields.record("last"))) if fields.has("last") else None
        pins = pins_from_wire(fields.within("pins", fields.record("pins"))) if fields.has("pins") else None
        if last is not None and pins is None:
            raise fields.wrong("pins", "are missing, by which the earlier result is to be corrected")
        hashed = fields.text("topology_hash", 200)
        return cls(mesh=mesh, topology_hash=hashed, pins=pins, last=last, **_read_video_request(fields))


@dataclass(frozen=True)
class ExamineRequest(VideoRequest):
    """A quick look at a video, and at how a mesh fits its first used frame. mesh: None where no view is asked for."""

    kind: ClassVar[str] = "examine"
    video: Path | VideoClip
    options: AnimateOptions = field(default_factory=AnimateOptions)
    mesh: ReferenceMesh | None = None
    send_video: bool | None = None
    files: tuple[SentFile, ...] = ()
    job_id: str = field(default_factory=new_id)

    @property
    def doing(self) -> str:
        return f"examining {self.video_name}"

    def rest_to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {"mesh": None if self.mesh is None else mesh_to_wire(self.mesh, arrays)}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> ExamineRequest:
        mesh = mesh_from_wire(fields.within("mesh", fields.record("mesh"))) if fields.has("mesh") else None
        return cls(mesh=mesh, **_read_video_request(fields))


@dataclass(frozen=True)
class MeshRequest(VideoRequest):
    """A mesh of what the first used frame shows. Of the options, frames, video_fps and mask count."""

    kind: ClassVar[str] = "make-mesh"
    video: Path | VideoClip
    options: AnimateOptions = field(default_factory=AnimateOptions)
    settings: MeshSettings = field(default_factory=MeshSettings)
    send_video: bool | None = None
    files: tuple[SentFile, ...] = ()
    job_id: str = field(default_factory=new_id)

    @property
    def doing(self) -> str:
        return f"making a mesh from {self.video_name}"

    def rest_to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {"settings": self.settings.to_dict()}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> MeshRequest:
        return cls(settings=MeshSettings.from_dict(fields.record("settings")), **_read_video_request(fields))


AnyVideoRequest = AnimateRequest | ExamineRequest | MeshRequest
JobRequest = AnyVideoRequest | RigRequest


@dataclass(frozen=True)
class Cancel(Message):
    """Ends a job, whether it waits or runs; its answer is an ErrorMessage with the code "cancelled"."""

    kind: ClassVar[str] = "cancel"
    job_id: str

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Cancel:
        return cls(fields.text("job_id", MAX_ID))
