"""Quick looks through a real backend process: what comes back, beside which jobs, and how one is stopped."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from wire_harness import clip, request, start_and_wait, tetrahedron, within

from motion324.client import Client
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.wire.protocol import ExamineRequest, ProgressEvent, Queued, ResultEvent


def test_an_examination_comes_back_whole(client):
    events = []
    found = client.examine(ExamineRequest(clip(), AnimateOptions(), tetrahedron()), events.append)
    np.testing.assert_array_equal(found.frame, np.full((4, 6, 3), 7, np.uint8), strict=True)
    np.testing.assert_array_equal(found.mask, np.float32([[1, 1, 1, 0, 0, 0]] * 4), strict=True)
    assert (found.mask_method, found.frame_number, found.frame_count, found.used_count) == ("plain", 2, 40, 20)
    assert (found.fps, found.size, found.silhouette_overlap) == (25.0, (12, 8), 0.75)
    assert found.warnings == ({"code": "test", "sentence": "A warning."},)
    assert found.view.azimuth == pytest.approx(30)
    assert isinstance(events[0], Queued)
    assert any(isinstance(event, ProgressEvent) for event in events)


def test_without_a_mesh_no_view_is_found(client):
    found = client.examine(ExamineRequest(Path("/videos/fox.mp4"), send_video=False))
    assert found.view is None
    assert found.silhouette_overlap is None
    assert client.status().details["examined"] == str(Path("/videos/fox.mp4"))


def test_an_examination_does_not_wait_for_a_running_job_and_does_not_disturb_it(client):
    job = start_and_wait(client, request("wait", seconds=5))
    waiting = client.animate(request("wait", seconds=0.1))
    client.examine(ExamineRequest(clip()))
    assert client.status().running == job.job_id
    assert isinstance(list(job)[-1], ResultEvent)
    assert isinstance(list(waiting)[-1], ResultEvent)


def test_examinations_wait_for_each_other_and_say_their_place(client):
    first = client.start_examining(ExamineRequest(clip(), mesh=tetrahedron(seconds="30")))
    assert next(first).place == 0
    second = client.start_examining(ExamineRequest(clip()))
    assert next(second) == Queued(second.job_id, 1)
    first.close()
    assert next(second) == Queued(second.job_id, 0)
    list(second)


def test_an_examination_is_cancelled_at_once(client):
    wish = ExamineRequest(clip(), mesh=tetrahedron(seconds="30"))
    threading.Timer(0.3, client.cancel, [wish.job_id]).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        client.examine(wish)
    assert time.monotonic() - began < 5
    within(10, lambda: wish.job_id in client.status().details["cancelled"])


def test_what_the_watcher_raises_ends_the_examination(client):
    def watch(event):
        if isinstance(event, ProgressEvent):
            raise KeyboardInterrupt

    wish = ExamineRequest(clip(), mesh=tetrahedron(seconds="30"))
    with pytest.raises(KeyboardInterrupt):
        client.examine(wish, watch)
    within(10, lambda: wish.job_id in client.status().details["cancelled"])


def test_a_disconnected_client_leaves_no_examination_behind(server, client):
    wish = ExamineRequest(clip(), mesh=tetrahedron(seconds="30"))
    with Client.connect(server.endpoint) as leaving:
        next(event for event in leaving.start_examining(wish) if isinstance(event, ProgressEvent))  # it runs
    within(10, lambda: wish.job_id in client.status().details["cancelled"])


def test_a_wrong_option_is_told(client):
    wish = ExamineRequest(clip(), dataclasses.replace(AnimateOptions(), view="sideways"))
    with pytest.raises(Motion324Error) as caught:
        client.examine(wish)
    assert caught.value.code == "bad-option"
