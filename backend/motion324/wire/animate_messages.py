"""The messages of one animation job. N vertices; T frames in the trajectory, B of them in a batch.

From Blender: AnimateRequest, Cancel. From the backend: Queued, ProgressEvent, FramesEvent, then ResultEvent (or an
ErrorMessage of motion324.wire.protocol).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.options import AnimateOptions
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.result import AnimationResult
from motion324.core.topology import topology_hash
from motion324.wire.fields import MessageFields
from motion324.wire.message import MAX_ID, Message, new_id
from motion324.wire.payloads import (
    Arrays,
    mesh_from_wire,
    mesh_to_wire,
    result_from_wire,
    result_to_wire,
    video_from_wire,
    video_to_wire,
)


@dataclass(frozen=True)
class AnimateRequest(Message):
    """One animation job.

    video: a path on the backend's machine, or the frames themselves.
    topology_hash: comes back with the result, so that positions never land on a mesh that changed meanwhile.
    send_video: whether the client sends the files at `video`, and at options.mask where that is a path; None: where the
        backend does not see them. Not sent itself.
    """

    kind: ClassVar[str] = "animate"
    job_id: str
    mesh: ReferenceMesh
    video: Path | VideoClip
    options: AnimateOptions
    topology_hash: str
    send_video: bool | None = None

    @classmethod
    def of(
        cls, mesh: ReferenceMesh, video: Path | VideoClip, options: AnimateOptions, send_video: bool | None = None
    ) -> AnimateRequest:
        """A request with a fresh job id and the mesh's own topology hash."""
        return cls(new_id(), mesh, video, options, topology_hash(mesh), send_video)

    @property
    def video_name(self) -> str:
        return self.video.name

    @property
    def doing(self) -> str:
        """What the backend does, for people."""
        return f"animating {self.mesh.name} ({len(self.mesh.positions)} vertices) after {self.video_name}"

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "topology_hash": self.topology_hash,
            "options": self.options.to_dict(),
            "mesh": mesh_to_wire(self.mesh, arrays),
            "video": video_to_wire(self.video, arrays),
        }

    @classmethod
    def from_wire(cls, fields: MessageFields) -> AnimateRequest:
        return cls(
            job_id=fields.text("job_id", MAX_ID),
            mesh=mesh_from_wire(fields.within("mesh", fields.record("mesh"))),
            video=video_from_wire(fields.within("video", fields.record("video"))),
            options=AnimateOptions.from_dict(fields.record("options")),
            topology_hash=fields.text("topology_hash", 200),
        )


@dataclass(frozen=True)
class Cancel(Message):
    """Ends a job, whether it waits or runs; its answer is an ErrorMessage with the code "cancelled"."""

    kind: ClassVar[str] = "cancel"
    job_id: str

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Cancel:
        return cls(fields.text("job_id", MAX_ID))


@dataclass(frozen=True)
class Queued(Message):
    """place: how many jobs come before this one; 0: it runs now. Sent again whenever the place changes."""

    kind: ClassVar[str] = "queued"
    job_id: str
    place: int

    @classmethod
    def from_wire(cls, fields: MessageFields) -> Queued:
        return cls(fields.text("job_id", MAX_ID), fields.whole("place"))


@dataclass(frozen=True)
class ProgressEvent(Message):
    """stage: one of motion324.core.progress.STAGES; done and total: in its own unit.
    remaining: seconds that this stage still takes at its present pace; None while that is not known.
    """

    kind: ClassVar[str] = "progress"
    job_id: str
    stage: str
    done: int
    total: int
    remaining: float | None = None

    @classmethod
    def from_wire(cls, fields: MessageFields) -> ProgressEvent:
        return cls(
            job_id=fields.text("job_id", MAX_ID),
            stage=fields.text("stage", 100),
            done=fields.whole("done"),
            total=fields.whole("total"),
            remaining=fields.number("remaining") if fields.has("remaining") else None,
        )


@dataclass(frozen=True)
class FramesEvent(Message):
    """Positions of some frames, as soon as they are known.

    indices (B,) int64: which frames of the trajectory, 0..T-1; the result tells their numbers in the video.
    positions (B, N, 3) float32: in the mesh's own coordinates and vertex order.
    final: False where the same frames come again, refined. Such previews are left out when the reader is slow.
    """

    kind: ClassVar[str] = "frames"
    job_id: str
    indices: np.ndarray
    positions: np.ndarray
    final: bool

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        arrays["indices"] = np.asarray(self.indices, np.int64)
        arrays["positions"] = np.asarray(self.positions, np.float32)
        return {"job_id": self.job_id, "final": self.final}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> FramesEvent:
        return cls(
            job_id=fields.text("job_id", MAX_ID),
            positions=fields.array("positions", "float32", ("B", None, 3)),
            indices=fields.indices("indices", ("B",), below=1 << 31, dtype="int64"),
            final=fields.flag("final"),
        )


@dataclass(frozen=True)
class ResultEvent(Message):
    """The end of a job that went well. topology_hash: the one that the request carried."""

    kind: ClassVar[str] = "result"
    job_id: str
    result: AnimationResult
    topology_hash: str

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "topology_hash": self.topology_hash,
            "result": result_to_wire(self.result, arrays),
        }

    @classmethod
    def from_wire(cls, fields: MessageFields) -> ResultEvent:
        return cls(
            job_id=fields.text("job_id", MAX_ID),
            result=result_from_wire(fields.within("result", fields.record("result"))),
            topology_hash=fields.text("topology_hash", 200),
        )
