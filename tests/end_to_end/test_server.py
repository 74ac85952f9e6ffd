"""The real backend process behind its socket, with the reconstructor that people get."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
import pytest
from wire_harness import within

from motion324.client import Client, start_server
from motion324.core.errors import Motion324Error
from motion324.core.files.trajectory_file import load_trajectory
from motion324.core.options.animate_options import AnimateOptions
from motion324.mesh.files.reading import read_mesh
from motion324.wire.protocol import AnimateRequest, ExamineRequest, FramesEvent, ProgressEvent, ResultEvent


@pytest.fixture
def server(tmp_path):
    server = start_server(sys.executable, log_path=tmp_path / "backend.log")
    yield server
    server.stop()


def request_for(bending, **options):
    return AnimateRequest.of(read_mesh(bending.mesh), bending.video, AnimateOptions(**options))


def test_a_job_streams_its_frames_and_ends_with_the_very_result_of_the_command_line(server, bending, animated):
    with Client.connect(server.endpoint) as client:
        events = list(client.animate(request_for(bending)))
        within(10, lambda: client.status().running == "")
        status = client.status()
    frames = [event for event in events if isinstance(event, FramesEvent)]
    result = events[-1]
    assert isinstance(result, ResultEvent)
    assert {event.stage for event in events if isinstance(event, ProgressEvent)} >= {"read", "view", "reconstruct"}
    final = {int(index) for event in frames if event.final for index in event.indices}
    assert final == set(range(len(bending.truth)))
    expected = load_trajectory(animated.output / "trajectory.npz")
    np.testing.assert_array_equal(result.result.positions, expected.positions)
    assert status.device


def test_an_examination_beside_a_running_job_tells_what_that_job_finds(server, bending):
    """Both load their libraries at the same moment, in a backend that has loaded nothing yet."""
    with Client.connect(server.endpoint) as client:
        job = client.animate(request_for(bending, quality="draft", view="37,12"))
        found = client.examine(ExamineRequest(bending.video, AnimateOptions(view="37,12"), read_mesh(bending.mesh)))
        *_, last = job
    result = last.result
    assert (found.frame_count, found.used_count, found.size) == (7, 7, (256, 256))
    assert found.mask_method == result.report["mask"]
    assert found.view.azimuth == pytest.approx(result.view.azimuth)
    assert found.silhouette_overlap == pytest.approx(result.report["silhouette_overlap"], abs=1e-4)


def test_a_killed_backend_ends_the_job_with_a_sentence(server, bending):
    with Client.connect(server.endpoint) as client:
        events = client.animate(request_for(bending))
        next(events)
        os.kill(server.pid, signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises(Motion324Error, match="connection to the backend") as caught:
            list(events)
    assert caught.value.code == "backend-lost"
    assert "ended" in caught.value.hint
    assert time.monotonic() - began < 10
