"""How fast 300 MB of positions pass between two processes on this machine, each way. Prints one table.

    python benchmarks/wire.py [--megabytes 300] [--repeats 5]

It starts a real backend process, whose job takes and gives positions without computing anything. "Sent" is from
Client.animate to the backend's word that it has read and checked the request; "received" is from the job's start to the
result in the client's hands.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np

from motion324.client import Client, start_server
from motion324.core.clip import VideoClip
from motion324.core.jobs.job_plan import OnPlan
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.progress import OnMatch, Progress
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.result import AnimationResult
from motion324.core.view import look_at_origin
from motion324.reconstructors.interface import FrameBatch
from motion324.server.server import serve
from motion324.wire.handshake import take_token_from_environment
from motion324.wire.protocol import AnimateRequest, Queued, ResultEvent

TARGET = 1.0  # GB/s
VERTICES = 100_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__]
        with (
            start_server(command, log_path=Path(folder) / "backend.log") as server,
            Client.connect(server.endpoint) as client,
        ):
            # The first run of each finds cold memory on both sides and is not counted.
            received = [_receive(client, arguments.megabytes) for _ in range(arguments.repeats + 1)][1:]
            positions = np.ones((arguments.megabytes * 1_000_000 // 12, 3), np.float32)
            sent = [_send(client, positions) for _ in range(arguments.repeats + 1)][1:]

    print("| direction | MB | median GB/s | best GB/s | target GB/s |")
    print("|---|---|---|---|---|")
    for name, rates in (("sent to the backend", sent), ("received from the backend", received)):
        median, best = statistics.median(rates), max(rates)
        print(f"| {name} | {arguments.megabytes} | {median:.2f} | {best:.2f} | {TARGET:.1f} |")
    return 0


def _send(client: Client, positions: np.ndarray) -> float:
    """GB/s of a mesh with these positions."""
    request = AnimateRequest.of(_mesh(positions, frames=0), _clip(), AnimateOptions())
    began = time.perf_counter()
    seconds = 0.0
    for event in client.animate(request):
        if isinstance(event, Queued) and not seconds:
            seconds = time.perf_counter() - began
    return positions.nbytes / 1e9 / seconds


def _receive(client: Client, megabytes: int) -> float:
    """GB/s of a result whose positions take so many megabytes."""
    frames = megabytes * 1_000_000 // (12 * VERTICES)
    request = AnimateRequest.of(_mesh(np.zeros((3, 3), np.float32), frames), _clip(), AnimateOptions())
    began = time.perf_counter()
    for event in client.animate(request):
        if isinstance(event, Queued) and event.place == 0:
            began = time.perf_counter()
        if isinstance(event, ResultEvent):
            return event.result.positions.nbytes / 1e9 / (time.perf_counter() - began)
    raise AssertionError("a job ends with its result")


def _mesh(positions: np.ndarray, frames: int) -> ReferenceMesh:
    faces = np.array([[0, 1, 2]], np.int32)
    return ReferenceMesh(positions, faces, np.zeros(1, np.int32), metadata={"frames": str(frames)})


def _clip() -> VideoClip:
    return VideoClip(np.zeros((1, 8, 8, 3), np.uint8), 25.0, np.zeros(1, np.int64))


class _Results:
    """Gives out results of any length; makes each only once, so that making it is not measured."""

    def __init__(self) -> None:
        self._made: dict[int, AnimationResult] = {}

    def run_job(
        self,
        request: AnimateRequest,
        progress: Progress,
        on_frames: Callable[[FrameBatch], None],
        on_plan: OnPlan,
        on_match: OnMatch,
    ) -> AnimationResult:
        frames = int(request.mesh.metadata["frames"])
        if frames not in self._made:
            positions = np.ones((frames, VERTICES, 3), np.float32)
            view = look_at_origin(0, 0, 3, 1.5)
            self._made[frames] = AnimationResult(positions, np.arange(frames), 25.0, view)
        return self._made[frames]


def _refuse(request: object, progress: Progress) -> NoReturn:
    raise NotImplementedError("only animation jobs are measured")


def _serve(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--parent", type=int)
    values = parser.parse_args(arguments)
    return serve(
        _Results().run_job,
        examine=_refuse,
        make_mesh=_refuse,
        rig=_refuse,
        describe=dict,
        unload=lambda: None,
        token=take_token_from_environment(),
        host=values.host,
        port=values.port,
        log_path=values.log,
        parent_pid=values.parent,
    )


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[2:]) if sys.argv[1:2] == ["serve"] else main())
