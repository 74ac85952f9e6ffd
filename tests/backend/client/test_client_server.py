"""Jobs through a real backend process: what comes back, in which order, and how a job is stopped."""

from __future__ import annotations

import dataclasses
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fake_backend import trajectory
from wire_harness import backend, clip, request, start_and_wait, tetrahedron, within

from motion324.client import Client
from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_BACKEND, EXIT_BAD_VIDEO, EXIT_INTERNAL, Cancelled, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.wire.protocol import (
    AnimateRequest,
    Cancel,
    FramesEvent,
    ProgressEvent,
    Queued,
    ReportedError,
    ResultEvent,
)


def test_a_job_streams_places_progress_and_frames_and_ends_with_its_result(client):
    wish = request(frames=7, batch=3)
    events = list(client.animate(wish))
    assert isinstance(events[0], Queued)
    assert events[0].place == 0
    frames = [event for event in events if isinstance(event, FramesEvent)]
    for event in frames:
        np.testing.assert_array_equal(event.positions, trajectory(wish.mesh.positions, event.indices), strict=True)
    final = [index for event in frames if event.final for index in event.indices]
    assert final == list(range(7))
    assert any(not event.final for event in frames)

    last = events[-1]
    assert isinstance(last, ResultEvent)
    assert last.topology_hash == wish.topology_hash
    np.testing.assert_array_equal(last.result.positions, trajectory(wish.mesh.positions, np.arange(7)), strict=True)
    np.testing.assert_array_equal(last.result.frame_numbers, np.arange(7) + 100)
    assert last.result.fps == 25.0
    assert last.result.view.azimuth == pytest.approx(30)
    assert last.result.report == {"reconstructor": "fake", "overlap": 0.5}
    progress = [event for event in events if isinstance(event, ProgressEvent)]
    assert progress[-1].done == progress[-1].total == 7


def test_mesh_video_and_options_arrive_in_the_backend_as_they_were_sent(client):
    rng = np.random.default_rng(1)
    texture = rng.integers(0, 255, (2, 3, 4), dtype=np.uint8)
    mesh = ReferenceMesh(
        positions=rng.normal(size=(4, 3)).astype(np.float32),
        faces=tetrahedron().faces,
        face_material=np.array([0, 1, 1, 0], np.int32),
        materials=(Material("a", (0.5, 0.25, 1.0, 1.0), texture), Material("b")),
        corner_uv=rng.integers(0, 8, (4, 3, 2)).astype(np.float32),
        vertex_colour=rng.integers(0, 2, (4, 3)).astype(np.float32),
        up="Z",
        name="Wölfin",
        metadata={"do": "echo"},
    )
    video = VideoClip(rng.integers(0, 255, (2, 2, 2, 3), dtype=np.uint8), 30.0, np.array([0, 1]), name="run.mp4")
    options = AnimateOptions(frames=(1, 9, 2), fps=12.0, mask="plain", view="10,20", smooth=1.0, seed=9)
    *_, last = client.animate(AnimateRequest.of(mesh, video, options))
    report = last.result.report
    np.testing.assert_array_equal(last.result.positions[0], mesh.positions, strict=True)
    for name in ("faces", "face_material", "corner_uv", "vertex_colour"):
        np.testing.assert_array_equal(report[name], getattr(mesh, name))
    assert report["materials"] == [["a", [0.5, 0.25, 1.0, 1.0], texture.tolist()], ["b", [0.8, 0.8, 0.8, 1.0], None]]
    assert (report["up"], report["name"], report["metadata"]) == ("Z", "Wölfin", {"do": "echo"})
    assert AnimateOptions.from_dict(report["options"]) == options
    assert report["video"] == ["run.mp4", 30.0, video.frames.tolist(), None]

    *_, last = client.animate(AnimateRequest.of(mesh, Path("/videos/fox.mp4"), options))
    assert last.result.report["video"] == str(Path("/videos/fox.mp4"))


def test_a_waiting_job_hears_its_place_each_time_it_moves(server, client):
    with Client.connect(server.endpoint) as other:
        first = start_and_wait(client, request("wait"))
        second = other.animate(request("wait", seconds=30))
        assert next(second) == Queued(second.job_id, 1)
        third = client.animate(request("wait", seconds=0.1))
        assert next(third) == Queued(third.job_id, 2)
        assert client.status().queued == 2
        assert client.is_busy and other.is_busy

        other.cancel(second.job_id)
        assert client.is_busy and not other.is_busy
        assert next(third) == Queued(third.job_id, 1)
        first.close()
        assert next(third) == Queued(third.job_id, 0)
        assert isinstance(list(third)[-1], ResultEvent)


def test_cancelling_a_running_job_stops_it_at_once(client):
    events = start_and_wait(client, request("wait"))
    threading.Timer(0.3, client.cancel, [events.job_id]).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(events)
    assert time.monotonic() - began < 5
    within(10, lambda: events.job_id in client.status().details["cancelled"])
    within(10, lambda: not client.status().running)


def test_cancelling_a_waiting_job_leaves_the_running_one_alone(client):
    running = start_and_wait(client, request("wait", seconds=1))
    waiting = client.animate(request("wait"))
    assert next(waiting).place == 1
    client.cancel(waiting.job_id)
    with pytest.raises(Cancelled):
        next(waiting)
    within(10, lambda: client.status().queued == 0)
    assert isinstance(list(running)[-1], ResultEvent)


def test_a_job_in_native_code_that_blocks_python_is_cancelled_in_time_too(client):
    events = start_and_wait(client, request("hold the interpreter"))
    began = time.monotonic()
    client.cancel(events.job_id)
    with pytest.raises(Cancelled):
        list(events)
    assert time.monotonic() - began < 5
    within(10, lambda: not client.status().running)
    # The reports of such a job come 0.2 s apart, and on a busy machine a question waits for one or two of them.


def test_a_job_that_is_cancelled_before_it_is_sent_never_runs(client):
    wish = request()
    client.cancel(wish.job_id)
    with pytest.raises(Cancelled):
        list(client.animate(wish))
    assert wish.job_id not in client.status().details["finished"]


def test_nobody_cancels_another_clients_job(server, client):
    events = start_and_wait(client, request("wait", seconds=0.5))
    with Client.connect(server.endpoint) as other:
        other._outbox.post(Cancel(events.job_id))  # `other.cancel` asks for no job that it has not sent
        other.status()  # has been answered after that
    assert isinstance(list(events)[-1], ResultEvent)


def test_closing_the_events_early_cancels_the_job(client):
    with start_and_wait(client, request("wait")) as events:
        next(events)
    within(10, lambda: events.job_id in client.status().details["cancelled"])


def test_a_client_that_disconnects_cancels_its_jobs(server, client):
    leaving = Client.connect(server.endpoint)
    running = start_and_wait(leaving, request("wait"))
    waiting = leaving.animate(request("wait"))
    leaving.close()
    within(5, lambda: running.job_id in client.status().details["cancelled"])
    within(10, lambda: not client.status().running)
    within(10, lambda: client.status().queued == 0)
    for events in (running, waiting):
        with pytest.raises(Motion324Error) as caught:
            list(events)
        assert caught.value.code == "backend-lost"


def test_the_remaining_time_follows_the_pace(client):
    events = client.animate(request("wait", seconds=2))
    told = [event.remaining for event in events if isinstance(event, ProgressEvent) and event.remaining is not None]
    assert told
    assert max(told) < 20
    assert told[-1] < told[0]


def test_an_error_with_advice_arrives_whole(client):
    with pytest.raises(ReportedError) as caught:
        list(client.animate(dataclasses.replace(request("advise"), video=Path("/videos/fox.mp4"))))
    error = caught.value
    assert (error.code, error.hint, error.exit_code) == ("video-unreadable", "Convert it.", EXIT_BAD_VIDEO)
    assert "fox.mp4" in error.sentence


def test_a_defect_becomes_a_sentence_and_its_trace_stays_in_the_log(server, client):
    with pytest.raises(ReportedError) as caught:
        list(client.animate(request("fail")))
    error = caught.value
    assert (error.code, error.exit_code) == ("internal", EXIT_INTERNAL)
    assert "a defect with a value of 42" in error.sentence
    assert "Traceback" not in str(error)
    log = Path(error.log_path)
    assert log == server.log_path
    assert "Traceback" in log.read_text()
    assert isinstance(list(client.animate(request()))[-1], ResultEvent)


def test_lack_of_memory_is_told_as_such(client):
    with pytest.raises(ReportedError) as caught:
        list(client.animate(request("lack memory")))
    assert (caught.value.code, caught.value.exit_code) == ("out-of-memory", EXIT_BACKEND)
    assert "4 vertices" in caught.value.sentence


def test_status_tells_device_memory_and_jobs(server, client):
    status = client.status()
    assert status.device == "fake"
    assert status.memory["process"] > 1e6
    assert status.reconstructors == ("fake",)
    assert (status.running, status.queued, status.pid) == ("", 0, server.pid)
    events = start_and_wait(client, request("wait"))
    assert client.status().running == events.job_id
    events.close()


def test_unload_waits_for_nobody_and_is_refused_while_a_job_runs(client):
    before = client.status().details["unloaded"]
    client.unload()
    assert client.status().details["unloaded"] == before + 1
    assert client.status().details["kept_on_cpu"] is False
    client.unload(keep_on_cpu=True)
    assert client.status().details["kept_on_cpu"] is True
    events = start_and_wait(client, request("wait"))
    with pytest.raises(Motion324Error) as caught:
        client.unload()
    assert caught.value.code == "backend-busy"
    events.close()


def test_the_same_job_twice_is_refused_by_both_sides(server, client):
    wish = request("wait", seconds=0.5)
    events = start_and_wait(client, wish)
    with pytest.raises(ValueError, match="sent before"):
        client.animate(wish)
    with Client.connect(server.endpoint) as other, pytest.raises(ReportedError, match="already is a job"):
        list(other.animate(wish))
    assert isinstance(list(events)[-1], ResultEvent)


def test_a_queue_without_room_refuses_further_jobs(client):
    events = [start_and_wait(client, request("wait")), *(client.animate(request("wait")) for _ in range(32))]
    with pytest.raises(ReportedError) as caught:
        list(client.animate(request("wait")))
    assert caught.value.code == "queue-full"
    for job in reversed(events):
        job.close()
    within(10, lambda: not client.status().running)


def test_a_request_that_does_not_fit_is_refused_and_the_connection_goes_on(client):
    mesh = dataclasses.replace(tetrahedron(), faces=np.full((4, 3), 99, np.int32))
    with pytest.raises(ReportedError) as caught:
        list(client.animate(AnimateRequest.of(mesh, clip(), AnimateOptions())))
    assert caught.value.code == "bad-message"
    assert "mesh.faces" in caught.value.sentence
    assert isinstance(list(client.animate(request()))[-1], ResultEvent)


def big_mesh(megabytes: int, **wish: str) -> ReferenceMesh:
    positions = np.random.default_rng(0).random((megabytes * 1_000_000 // 12, 3), dtype=np.float32)
    return dataclasses.replace(tetrahedron(**wish), positions=positions)


def test_frames_of_many_megabytes_arrive_exactly(client):
    mesh = big_mesh(12, frames="3", batch="1")
    wish = AnimateRequest.of(mesh, clip(), AnimateOptions())
    final = 0
    for event in client.animate(wish):
        if isinstance(event, FramesEvent):
            np.testing.assert_array_equal(event.positions, trajectory(mesh.positions, event.indices))
            final += event.final
        elif isinstance(event, ResultEvent):
            np.testing.assert_array_equal(event.result.positions, trajectory(mesh.positions, np.arange(3)))
    assert final == 3


def test_a_consumer_that_sleeps_still_gets_every_final_frame(client):
    wish = AnimateRequest.of(big_mesh(6, frames="8", batch="1"), clip(), AnimateOptions())
    events = client.animate(wish)
    within(10, lambda: wish.job_id in client.status().details["finished"])
    seen = [event for event in events if isinstance(event, FramesEvent)]
    assert [int(event.indices[0]) for event in seen if event.final] == list(range(8))


def test_blenders_other_threads_may_poll(client):
    events = client.animate(request("wait", seconds=0.2))
    seen = []
    deadline = time.monotonic() + 10
    while not (seen and isinstance(seen[-1], ResultEvent)):
        assert time.monotonic() < deadline
        event = events.poll()
        if event is not None:
            seen.append(event)
    with pytest.raises(StopIteration):
        events.poll()


def test_shutdown_ends_the_backend_and_tells_its_jobs(tmp_path):
    with backend(tmp_path) as server, Client.connect(server.endpoint) as client:
        events = start_and_wait(client, request("wait"))
        client.shutdown()
        with pytest.raises(Motion324Error) as caught:
            list(events)
        assert caught.value.code == "backend-ended"
        within(10, lambda: not server.is_alive())
        with pytest.raises(Motion324Error):
            client.status()


def test_loopback_tcp_works_as_the_unix_socket_does(tmp_path):
    with backend(tmp_path, "--force-host", "127.0.0.1") as server, Client.connect(server.endpoint) as client:
        assert server.endpoint.port > 0
        assert isinstance(list(client.animate(request()))[-1], ResultEvent)


def test_the_secret_is_nowhere_to_be_seen(server):
    token = server.endpoint.token
    assert token not in repr(server.endpoint) + str(server.endpoint)
    command = subprocess.run(["ps", "-ww", "-o", "args", "-p", str(server.pid)], capture_output=True, text=True).stdout
    assert "fake_backend" in command
    assert token not in command
    assert token not in server.log_path.read_text() + "".join(server.log_tail(1000))


@pytest.mark.parametrize("shape", [(3, 0, 0, 3), (0, 8, 8, 3), (2, 8, 0, 3)])
def test_frames_without_pixels_are_refused_in_one_sentence_and_the_connection_lives(client, shape):
    frames = np.zeros(shape, np.uint8)
    wish = dataclasses.replace(request(), video=VideoClip(frames, 24.0, np.arange(shape[0])))
    with pytest.raises(ReportedError, match=f"has {shape[0]} frames of {shape[2]} x {shape[1]} pixels") as told:
        list(client.animate(wish))
    assert (told.value.code, told.value.exit_code) == ("video-empty", EXIT_BAD_VIDEO)
    assert isinstance(list(client.animate(request()))[-1], ResultEvent)
