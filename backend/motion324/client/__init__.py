"""The side that asks: starts or finds a backend, sends jobs and their files, hands on what comes back.

Imports core and wire. Blender's add-on imports this room and core, and nothing else of motion324: all that it needs of
the wire is named here. A name's module is imported when the name is first asked for, so that Blender, which has add-ons
imported whenever it starts, does not wait for what only a job needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_ELSEWHERE = {
    "Client": "motion324.client.client",
    "Event": "motion324.client.jobs",
    "JobEvents": "motion324.client.jobs",
    "ServerProcess": "motion324.client.server_process",
    "start_server": "motion324.client.server_process",
    "Endpoint": "motion324.wire.handshake",
}  # all others lie in the wire's protocol


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE.get(name, "motion324.wire.protocol")), name)
