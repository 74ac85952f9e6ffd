"""What a backend's queues run: the pipelines that it is given, as functions of a queued job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from motion324.core.jobs.job_plan import OnPlan
from motion324.core.progress import OnMatch, Progress
from motion324.core.result import AnimationResult, Examination, MadeMesh
from motion324.core.rigs.rig import RiggedMotion
from motion324.reconstructors.interface import FrameBatch
from motion324.server.job_queue import Job
from motion324.wire.message import BulkMessage
from motion324.wire.protocol import AnimateRequest, ExamineRequest, MeshRequest, ResultEvent, RigRequest


class RunJob(Protocol):
    """Runs one job: motion324.pipeline.animate.animate, or what a test puts in its place.

    It calls `progress` at least four times a second, lets pass what `progress` and `on_frames` raise, and does not
    change the arrays of the result that it has returned. It may change those that it gave to `on_frames`.
    """

    def __call__(
        self,
        request: AnimateRequest,
        progress: Progress,
        on_frames: Callable[[FrameBatch], None],
        on_plan: OnPlan,
        on_match: OnMatch,
    ) -> AnimationResult: ...


Examine = Callable[[ExamineRequest, Progress], Examination]
MakeMesh = Callable[[MeshRequest, Progress], MadeMesh]
MakeRig = Callable[[RigRequest, Progress], RiggedMotion]


def animation(run_job: RunJob) -> Callable[[Job], BulkMessage]:
    """What the queue of animations runs."""

    def run(job: Job) -> BulkMessage:
        assert isinstance(job.request, AnimateRequest)
        result = run_job(job.request, job.progress, job.on_frames, job.on_plan, job.on_match)
        return ResultEvent(job.id, result, job.request.topology_hash)

    return run


def look(
    work: Callable[[Any, Progress], Any], event: Callable[[str, Any], BulkMessage]
) -> Callable[[Job], BulkMessage]:
    """What another queue runs. work: a request and a progress in, what `event` tells out."""
    return lambda job: event(job.id, work(job.request, job.progress))
