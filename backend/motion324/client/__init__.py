"""The side that asks: starts or finds a backend, sends jobs and their files, hands on what comes back.

Imports core and wire. Blender's add-on imports this room and core, and nothing else of motion324: all that it needs of
the wire is named here.
"""

from motion324.client.client import Client
from motion324.client.jobs import Event, JobEvents
from motion324.client.server_process import ServerProcess, start_server
from motion324.wire.handshake import Endpoint
from motion324.wire.protocol import (
    AnimateRequest,
    ExaminationEvent,
    ExamineRequest,
    FramesEvent,
    MeshEvent,
    MeshRequest,
    ProgressEvent,
    Queued,
    ReportedError,
    ResultEvent,
    RigRequest,
    Status,
)

__all__ = [
    "AnimateRequest",
    "Client",
    "Endpoint",
    "Event",
    "ExaminationEvent",
    "ExamineRequest",
    "FramesEvent",
    "JobEvents",
    "MeshEvent",
    "MeshRequest",
    "ProgressEvent",
    "Queued",
    "ReportedError",
    "ResultEvent",
    "RigRequest",
    "ServerProcess",
    "Status",
    "start_server",
]
