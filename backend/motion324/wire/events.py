"""Defines the messages that a backend sends about a job: its place in the queue, its progress, its frames, its result.

N vertices; T frames in the trajectory, B of them in a batch. A job that ends badly ends with an ErrorMessage
(motion324.wire.protocol).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from motion324.core.result import AnimationResult, Examination, MadeMesh
from motion324.wire.message import MAX_ID, Arrays, BulkMessage, Message, MessageFields
from motion324.wire.payloads import (
    examination_from_wire,
    examination_to_wire,
    made_mesh_from_wire,
    made_mesh_to_wire,
    result_from_wire,
    result_to_wire,
)


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
    remaining: seconds until the end of the whole job where it has a plan (motion324.core.jobs.job_plan), else of this
    stage; None while that is not known.
    match: overlap of the silhouettes of mesh and video, 0..1, once the job knows it.
    """

    kind: ClassVar[str] = "progress"
    job_id: str
    stage: str
    done: int
    total: int
    remaining: float | None = None
    match: float | None = None

    @classmethod
    def from_wire(cls, fields: MessageFields) -> ProgressEvent:
        return cls(
            job_id=fields.text("job_id", MAX_ID),
            stage=fields.text("stage", 100),
            done=fields.whole("done"),
            total=fields.whole("total"),
            remaining=fields.number("remaining") if fields.has("remaining") else None,
            match=fields.number("match") if fields.has("match") else None,
        )


@dataclass(frozen=True)
class FramesEvent(BulkMessage):
    """Positions of some frames, as soon as they are known.

    indices (B,) int64: which frames of the trajectory, 0..T-1; the result tells their numbers in the video.
    positions (B, N, 3) float32: in the mesh's own coordinates and vertex order.
    final: False where the same frames come again, refined. Such previews are left out when the reader is slow.
    doubt (B, N) float16: of these positions, as AnimationResult has it; None where it is not known by frames.
    """

    kind: ClassVar[str] = "frames"
    job_id: str
    indices: np.ndarray
    positions: np.ndarray
    final: bool
    doubt: np.ndarray | None = None

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        arrays["indices"] = np.asarray(self.indices, np.int64)
        arrays["positions"] = np.asarray(self.positions, np.float32)
        if self.doubt is not None:
            arrays["doubt"] = np.asarray(self.doubt, np.float16)
        return {"job_id": self.job_id, "final": self.final}

    @classmethod
    def from_wire(cls, fields: MessageFields) -> FramesEvent:
        return cls(
            job_id=fields.text("job_id", MAX_ID),
            positions=fields.array("positions", "float32", ("B", "N", 3)),
            indices=fields.indices("indices", ("B",), below=1 << 31, dtype="int64"),
            final=fields.flag("final"),
            doubt=fields.array("doubt", "float16", ("B", "N")) if fields.has_array("doubt") else None,
        )


@dataclass(frozen=True)
class ResultEvent(BulkMessage):
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


@dataclass(frozen=True)
class ExaminationEvent(BulkMessage):
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


@dataclass(frozen=True)
class MeshEvent(BulkMessage):
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
