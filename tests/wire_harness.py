"""What the tests of the wire share: backends with fake jobs, requests that tell them what to do, and waiting."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from motion324.client import Client, JobEvents, ServerProcess, start_server
from motion324.core.clip import VideoClip
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.reference_mesh import ReferenceMesh
from motion324.wire.protocol import AnimateRequest, Queued

FAKE_BACKEND = [sys.executable, str(Path(__file__).with_name("fake_backend.py"))]


@contextlib.contextmanager
def backend(folder: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[ServerProcess]:
    """A running fake backend, with options of tests/fake_backend.py."""
    log_path = folder / "backend.log"
    with start_server([*FAKE_BACKEND, *options], log_path=log_path, environment=environment, timeout=60) as server:
        yield server


def tetrahedron(**metadata: str) -> ReferenceMesh:
    positions = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    return ReferenceMesh(positions, faces, np.zeros(4, np.int32), metadata=metadata)


def clip(frames: int = 2) -> VideoClip:
    return VideoClip(np.zeros((frames, 4, 6, 3), np.uint8), 25.0, np.arange(frames))


def request(do: str = "animate", **metadata: object) -> AnimateRequest:
    """A request whose job does `do`, see tests/fake_backend.py."""
    mesh = tetrahedron(do=do, **{name: str(value) for name, value in metadata.items()})
    return AnimateRequest.of(mesh, clip(), AnimateOptions())


def start_and_wait(client: Client, wish: AnimateRequest) -> JobEvents:
    """Sends a job, and returns when it runs."""
    events = client.animate(wish)
    for event in events:
        if isinstance(event, Queued) and event.place == 0:
            return events
    raise AssertionError("the job ended before it ran")


def within(seconds: float, condition: Callable[[], object]) -> float:
    """Seconds until the condition holds; fails after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - began


def process_exists(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
