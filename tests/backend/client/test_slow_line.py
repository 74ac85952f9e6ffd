"""A client and a backend with a slow, distant, stalling or breaking line between them.

The quick tests and the long ones do the same; the long ones take the time and the limits of the real thing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from slow_line import SlowLine
from wire_harness import backend, clip, request, start_and_wait, tetrahedron, within

from motion324.client import (
    AnimateRequest,
    Client,
    ExamineRequest,
    FramesEvent,
    JobEvents,
    ProgressEvent,
    ResultEvent,
)
from motion324.core.errors import Motion324Error
from motion324.core.options.animate_options import AnimateOptions

MBIT = 125_000  # bytes per second


@pytest.fixture
def direct(server):
    """A client that needs no line, to see what the backend does."""
    with Client.connect(server.endpoint) as connected:
        yield connected


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Its temporary folder is its own, so that nothing is found there that another test has sent."""
    folder = tmp_path_factory.mktemp("backend")
    with backend(folder, environment={"TMPDIR": str(tmp_path_factory.mktemp("far"))}) as running:
        yield running


@contextlib.contextmanager
def over(server, rate: float, delay: float = 0.01, **options: float) -> Iterator[tuple[SlowLine, Client]]:
    """A client of the backend over such a line."""
    with (
        SlowLine(server.endpoint, rate, delay) as line,
        Client.connect(line.endpoint, timeout=30, **options) as client,
    ):
        yield line, client


def video(folder: Path, size: int, name: str = "fox.mp4") -> Path:
    (folder / name).write_bytes(np.random.default_rng(size).bytes(size))
    return folder / name


def sending(path: Path) -> AnimateRequest:
    """A job that tells what has arrived; its video is sent though this machine's backend sees it."""
    return AnimateRequest.of(tetrahedron(do="read files"), path, AnimateOptions(), send_video=True)


def animating(vertices: int, frames: int, pause: float) -> AnimateRequest:
    """A job that sends 12 bytes for each vertex and frame (twice, where the line is fast), and reports each frame."""
    mesh = tetrahedron(do="animate", frames=str(frames), batch="1", pause=str(pause))
    mesh = dataclasses.replace(mesh, positions=np.zeros((vertices, 3), np.float32))
    return AnimateRequest.of(mesh, clip(), AnimateOptions())


def follow(events: JobEvents) -> list[tuple[float, object]]:
    """What the job tells from now on, each with its time; the error that ends it comes last."""
    told: list[tuple[float, object]] = []

    def read() -> None:
        try:
            for event in events:
                told.append((time.monotonic(), event))
        except Motion324Error as error:
            told.append((time.monotonic(), error))

    threading.Thread(target=read, daemon=True).start()
    return told


def longest_silence(told: list[tuple[float, object]], began: float) -> float:
    """Seconds without a report of progress since `began`, until now."""
    times = [when for when, event in told if isinstance(event, ProgressEvent)]
    return max(np.diff([began, *[when for when in times if when > began], time.monotonic()]))


def obeyed(direct: Client, job_id: str, limit: float) -> float:
    """Seconds until the backend has stopped the job."""
    return within(limit, lambda: job_id in direct.status().details["cancelled"])


def report_of(events: JobEvents) -> dict:
    *_, last = events
    return last.result.report["video"]["files"]


def digest(path: Path) -> dict:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}


def watch_an_upload(server, direct, folder, mbit: float, seconds: float, limit: float) -> None:
    with over(server, mbit * MBIT) as (line, client):
        job = start_and_wait(client, request("wait", seconds=300))
        job_told = follow(job)
        upload_told = follow(client.animate(sending(video(folder, int(4 * seconds * mbit * MBIT)))))
        time.sleep(seconds / 2)
        began = time.monotonic()
        client.status(timeout=limit)
        client.examine(ExamineRequest(clip()))
        assert time.monotonic() - began < 2 * limit
        time.sleep(seconds / 2)
        assert longest_silence(job_told, began) < limit
        assert longest_silence(upload_told, began) < limit
        assert line.carried()[0] > 0.4 * seconds * line.rate  # and the line was used
        client.cancel(job.job_id)
        print(f"{mbit} Mbit/s, uploading: obeyed after {obeyed(direct, job.job_id, limit):.2f} s")


def watch_frames(server, direct, mbit: float, seconds: float, limit: float) -> None:
    with over(server, mbit * MBIT) as (_, client):
        events = client.animate(animating(20_000, 1000, 0.05))
        told = follow(events)
        within(20, lambda: told and isinstance(told[-1][1], FramesEvent | ProgressEvent))
        began = time.monotonic()
        client.status(timeout=limit)
        client.examine(ExamineRequest(clip()))
        assert time.monotonic() - began < 2 * limit
        time.sleep(seconds)
        assert longest_silence(told, began) < limit
        assert not isinstance(told[-1][1], Motion324Error)
        client.cancel(events.job_id)
        print(f"{mbit} Mbit/s, frames coming: obeyed after {obeyed(direct, events.job_id, limit):.2f} s")
        began = time.monotonic()
        client.examine(ExamineRequest(clip()))
        assert time.monotonic() - began < limit  # what was left of the job's frames did not come first


def test_nothing_waits_for_an_upload(server, direct, tmp_path):
    watch_an_upload(server, direct, tmp_path, mbit=2, seconds=1.6, limit=4)


def test_nothing_waits_for_frames_that_come_down(server, direct):
    watch_frames(server, direct, mbit=2, seconds=1, limit=4)


@pytest.mark.long
@pytest.mark.parametrize("mbit", [1, 2])
def test_nothing_waits_for_an_upload_for_two_seconds(server, direct, tmp_path, mbit):
    watch_an_upload(server, direct, tmp_path, mbit, seconds=20, limit=2)


@pytest.mark.long
@pytest.mark.parametrize("mbit", [1, 2, 10, 20])
def test_nothing_waits_for_frames_for_two_seconds(server, direct, mbit):
    watch_frames(server, direct, mbit, seconds=20, limit=2)


@pytest.mark.parametrize(
    ("mbit", "megabytes"), [(20, 1), *(pytest.param(rate, 48, marks=pytest.mark.long) for rate in (10, 20))]
)
def test_looks_while_frames_come_down_leave_the_job_its_result(server, mbit, megabytes):
    """As the add-on does them: it asks first whether the connection stands."""
    frames = 20
    with over(server, mbit * MBIT) as (_, client):
        events = client.animate(animating(megabytes * 1_000_000 // (12 * frames), frames, 0))
        told = follow(events)
        looks = 0
        while not told or not isinstance(told[-1][1], ResultEvent | Motion324Error):
            assert client.stands()
            client.examine(ExamineRequest(clip()))
            looks += 1
            time.sleep(0.1)
        assert looks > 1
        result = told[-1][1]
        assert isinstance(result, ResultEvent), result
        assert result.result.positions.shape[0] == frames
        final = [int(event.indices[0]) for _, event in told if isinstance(event, FramesEvent) and event.final]
        assert final == list(range(frames))  # the result has overtaken none of them


@pytest.mark.parametrize("delay", [0.05, pytest.param(0.4, marks=pytest.mark.long)])
def test_jobs_that_are_cancelled_within_a_round_trip_leave_later_uploads_alone(server, tmp_path, monkeypatch, delay):
    monkeypatch.chdir(tmp_path)
    hidden = Path("/proc/self/cwd")  # which leads elsewhere in the backend's process: it is asked, and does not see it
    with over(server, 10 * MBIT, delay) as (_, client):
        for number in range(12):
            path = video(hidden, 50_000 + number, f"{number}.mp4")
            events = client.animate(dataclasses.replace(sending(path), send_video=None))
            time.sleep(delay * number / 4)
            events.close()
        path = video(hidden, 50_000, "last.mp4")
        assert report_of(client.animate(dataclasses.replace(sending(path), send_video=None))) == digest(path)


def test_a_line_that_stands_still_for_a_while_ends_nothing(server, tmp_path):
    path = video(tmp_path, 300_000)
    with over(server, 2 * MBIT) as (line, client):
        job = start_and_wait(client, request("wait", seconds=300))
        upload = client.animate(sending(path))
        within(5, lambda: line.carried()[0] > 100_000)
        line.stalled.set()
        began = time.monotonic()
        assert client.stands(patience=0.2)  # a job runs
        assert time.monotonic() - began < 0.2
        time.sleep(0.6)
        line.stalled.clear()
        job.close()
        assert report_of(upload) == digest(path)
        assert client.stands()
        line.stalled.set()
        assert not client.stands(patience=0.2)  # nothing runs, and nothing is heard
        line.stalled.clear()


def test_an_upload_goes_on_where_a_line_broke(server, tmp_path):
    size = 500_000
    path = video(tmp_path, size)
    with SlowLine(server.endpoint, rate=8 * MBIT) as line:
        with Client.connect(line.endpoint) as client:
            events = client.animate(sending(path))
            within(10, lambda: line.carried()[0] > 0.6 * size)
            line.reset()
            with pytest.raises(Motion324Error) as caught:
                list(events)
            assert caught.value.code == "backend-lost"
            assert not client.stands()
        before = line.carried()[0]
        with Client.connect(line.endpoint) as client:
            assert report_of(client.animate(sending(path))) == digest(path)
        assert line.carried()[0] - before < 0.6 * size


def test_an_upload_goes_on_where_it_was_cancelled(server, tmp_path):
    size = 500_000
    path = video(tmp_path, size)
    with over(server, 8 * MBIT) as (line, client):
        events = client.animate(sending(path))
        within(10, lambda: line.carried()[0] > 0.6 * size)
        events.close()
        assert report_of(client.animate(sending(path))) == digest(path)
        assert line.carried()[0] < 1.3 * size


def test_a_large_request_that_is_cancelled_on_its_way_leaves_the_line_at_once(server, direct):
    with over(server, 2 * MBIT) as (line, client):
        mesh = dataclasses.replace(tetrahedron(do="wait"), positions=np.zeros((1_000_000, 3), np.float32))
        events = client.animate(AnimateRequest.of(mesh, clip(), AnimateOptions()))
        within(5, lambda: line.carried()[0] > 100_000)
        events.close()
        *_, last = client.animate(request())
        assert isinstance(last, ResultEvent)
        assert line.carried()[0] < 1_000_000
        assert events.job_id not in direct.status().details["cancelled"]  # it never began


@pytest.mark.long
def test_what_takes_longer_than_any_limit_but_moves_arrives(server, tmp_path):
    """A megabyte at 0.16 Mbit/s: 52 s."""
    path = video(tmp_path, 1 << 20)
    with over(server, 0.16 * MBIT) as (_, client):
        told = follow(client.animate(sending(path)))
        began = time.monotonic()
        within(150, lambda: told and isinstance(told[-1][1], ResultEvent | Motion324Error))
        assert isinstance(told[-1][1], ResultEvent), told[-1][1]
        assert time.monotonic() - began > 45
        assert longest_silence(told[:-1], began) < 5
