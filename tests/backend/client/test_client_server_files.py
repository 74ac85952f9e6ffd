"""A backend that does not see the client's files, as behind an SSH tunnel: they are sent, used, and gone afterwards."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from wire_harness import backend, clip, request, tetrahedron, within

from motion324.client import Client, Endpoint
from motion324.core.errors import EXIT_BAD_VIDEO, Cancelled, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.server.received_file import check_name
from motion324.wire.file_messages import PART_BYTES, FileKey, Upload, UploadPart, fingerprint
from motion324.wire.protocol import AnimateRequest, ExamineRequest, MeshRequest, ProgressEvent, Queued

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses a path that only its own process sees")


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    """The far machine's temporary folder."""
    return tmp_path_factory.mktemp("far")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory, temporary):
    """Of a backend that is reached as one behind a tunnel is: nothing says that it is on this machine."""
    folder = tmp_path_factory.mktemp("backend")
    with backend(folder, "--force-host", "127.0.0.1", environment={"TMPDIR": str(temporary)}) as running:
        here = running.endpoint
        yield Endpoint(here.host, here.port, here.token)


@pytest.fixture
def client(endpoint, temporary):
    """Whatever a test has sent is gone soon after its client: the next one finds the folder empty."""
    with Client.connect(endpoint, program="tests") as connected:
        yield connected
    within(10, lambda: not received(temporary))


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """A folder under a path that leads somewhere else in every other process: here it is this test's own."""
    monkeypatch.chdir(tmp_path)
    return Path("/proc/self/cwd")


def reading(video, mask="auto", send_video=None, **metadata):
    mesh = tetrahedron(do="read files", **{name: str(value) for name, value in metadata.items()})
    return AnimateRequest.of(mesh, video, AnimateOptions(mask=str(mask)), send_video)


def report_of(client, wish):
    *_, last = client.animate(wish)
    return last.result.report


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(path, size, seed=0):
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


def announced(job_id, name, is_folder, *files):
    """An Upload as a client sends it; files: (name, size)."""
    return Upload(job_id, "s", FileKey(f"/x/{name}", "f00", sum(size for _, size in files)), name, is_folder, files)


def received(temporary):
    """All files and folders of jobs that lie in the far machine's temporary folder."""
    return [path for root in temporary.glob("motion324-received-*") if root.is_dir() for path in root.iterdir()]


def test_a_video_that_the_backend_does_not_see_is_sent_and_removed_when_the_client_leaves(
    client, own_folder, temporary
):
    video = write(own_folder / "fox trot.mp4", 3 * PART_BYTES + 5)
    report = report_of(client, reading(video))
    assert report["video"]["files"] == {"fox trot.mp4": digest(video)}
    assert Path(report["video"]["path"]).is_relative_to(temporary)
    client.close()
    within(10, lambda: not received(temporary))


def test_a_file_that_both_sides_see_is_not_sent(client, tmp_path):
    video = write(tmp_path / "fox.mp4", 100)
    assert report_of(client, reading(video))["video"]["path"] == str(video)


def test_a_file_that_both_sides_see_is_sent_when_asked(client, tmp_path, temporary):
    video = write(tmp_path / "fox.mp4", 100)
    report = report_of(client, reading(video, send_video=True))
    assert Path(report["video"]["path"]).is_relative_to(temporary)
    assert report["video"]["files"] == {"fox.mp4": digest(video)}


def test_another_file_under_the_same_path_is_told_apart(tmp_path):
    video = write(tmp_path / "fox.mp4", 100)
    before = fingerprint(video)
    os.utime(video, (1, 1))
    assert fingerprint(video) != before
    assert fingerprint(tmp_path / "none.mp4") == ""


def test_folders_of_images_are_sent_for_video_and_mask(client, own_folder, temporary):
    for folder, count in (("frames", 30), ("masks", 3)):
        (own_folder / folder).mkdir()
        for index in range(count):
            write(own_folder / folder / f"{index}.png", 70_000 + index, seed=index)
    (own_folder / "frames" / "notes.txt").write_text("not an image")
    write(own_folder / "frames" / "empty.png", 0)
    report = report_of(client, reading(own_folder / "frames", own_folder / "masks"))
    images = [path for path in (own_folder / "frames").iterdir() if path.suffix == ".png"]
    assert report["video"]["files"] == {path.name: digest(path) for path in images}
    assert Path(report["video"]["path"]).name == "frames"
    assert len(report["mask"]["files"]) == 3


def test_an_examination_has_its_video_sent_too(client, own_folder, temporary):
    video = write(own_folder / "fox.mp4", 1000)
    client.examine(ExamineRequest(video))
    assert Path(client.status().details["examined"]).is_relative_to(temporary)
    client.close()
    within(10, lambda: not received(temporary))


def test_a_mesh_is_made_from_a_video_that_was_sent(client, own_folder, temporary):
    video = write(own_folder / "fox.mp4", 100)
    client.make_mesh(MeshRequest(video, settings=MeshSettings(time_limit=0.01)))
    path = Path(client.status().details["made"][0])
    assert path.is_relative_to(temporary) and path.name == "fox.mp4"


def sent(client, wish):
    """Whether something is sent for the job, and the job's report."""
    *events, last = client.animate(wish)
    return any(isinstance(event, ProgressEvent) and event.stage == "send" for event in events), last.result.report


def test_a_video_is_sent_once_for_all_looks_and_jobs(client, own_folder, temporary):
    video = write(own_folder / "fox.mp4", 1000)
    client.examine(ExamineRequest(video))
    client.examine(ExamineRequest(video))
    for _ in range(2):
        was_sent, report = sent(client, reading(video))
        assert not was_sent and report["video"]["files"] == {"fox.mp4": digest(video)}
    assert len(received(temporary)) == 1


def test_masks_chosen_after_a_look_are_sent_and_the_video_is_not(client, own_folder, temporary):
    video, mask = write(own_folder / "fox.mp4", 1000), write(own_folder / "mask.mp4", 500, seed=1)
    client.examine(ExamineRequest(video))
    was_sent, report = sent(client, reading(video, mask))
    assert was_sent
    assert report["video"]["files"] == {"fox.mp4": digest(video)}
    assert report["mask"]["files"] == {"mask.mp4": digest(mask)}


def test_a_video_that_changed_after_a_look_is_sent_anew(client, own_folder, temporary):
    video = write(own_folder / "fox.mp4", 1000)
    client.examine(ExamineRequest(video))
    write(video, 1200, seed=1)
    was_sent, report = sent(client, reading(video))
    assert was_sent and report["video"]["files"] == {"fox.mp4": digest(video)}


def test_a_look_goes_on_with_its_files_while_a_job_with_the_same_ones_ends(client, own_folder, temporary):
    video = write(own_folder / "fox.mp4", 1000)
    client.examine(ExamineRequest(video))
    looking = client.start_examining(ExamineRequest(video, mesh=tetrahedron(seconds="30")))
    within(5, lambda: any(isinstance(event, ProgressEvent) for event in [next(looking)]))
    report_of(client, reading(video))
    assert len(received(temporary)) == 1
    looking.close()


def test_sending_is_told_in_megabytes(client, own_folder):
    video = write(own_folder / "long.mp4", 40 * PART_BYTES)
    events = [event for event in client.animate(reading(video)) if isinstance(event, ProgressEvent)]
    sent = [event for event in events if event.stage == "send"]
    assert sent[-1].done == sent[-1].total == 42
    assert [event.done for event in sent] == sorted(event.done for event in sent)


def test_memory_stays_bounded_on_both_sides(client, own_folder):
    with (own_folder / "huge.mp4").open("wb") as file:
        file.truncate(400 << 20)
    before = client.status().memory["process"]
    peak = {"far": before, "near": 0.0}
    own = Path("/proc/self/statm")
    start = int(own.read_text().split()[1])
    with client.animate(reading(own_folder / "huge.mp4")) as events:
        for event in events:
            if isinstance(event, ProgressEvent) and event.stage == "send" and event.done < event.total:
                peak["near"] = max(peak["near"], (int(own.read_text().split()[1]) - start) * os.sysconf("SC_PAGE_SIZE"))
                peak["far"] = max(peak["far"], client.status().memory["process"])
            elif not isinstance(event, ProgressEvent | Queued):
                break
    assert peak["near"] < 60e6
    assert peak["far"] - before < 60e6


def test_cancelling_while_a_video_is_sent_stops_at_once(client, own_folder, temporary):
    with (own_folder / "huge.mp4").open("wb") as file:
        file.truncate(20 << 30)
    wish = reading(own_folder / "huge.mp4")
    events = client.animate(wish)
    within(5, lambda: received(temporary))
    threading.Timer(0.2, client.cancel, [wish.job_id]).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(events)
    assert time.monotonic() - began < 5
    within(10, lambda: not client.status().running)
    size = sum(path.stat().st_size for path in temporary.rglob("huge.mp4"))
    time.sleep(0.3)
    assert sum(path.stat().st_size for path in temporary.rglob("huge.mp4")) == size


def test_two_jobs_that_need_a_file_at_once_send_it_once_and_the_second_is_told_how_far_it_is(
    client, own_folder, temporary
):
    video = write(own_folder / "fox.mp4", 30 * PART_BYTES)
    jobs = [client.animate(reading(video, seconds=30)) for _ in range(2)]
    within(10, lambda: client.status().queued == 1)
    assert len(received(temporary)) == 1
    told = [[event for event in iter(job.poll, None) if isinstance(event, ProgressEvent)] for job in jobs]
    assert all(events and events[0].stage == "send" for events in told)
    for events in jobs:
        events.close()


def test_a_file_whose_sender_is_cancelled_is_sent_on_by_who_waits_for_it(client, own_folder):
    video = write(own_folder / "fox.mp4", 60 * PART_BYTES)
    first = client.animate(reading(video))
    within(5, lambda: isinstance(first.poll(), ProgressEvent))
    second = client.animate(reading(video))
    first.close()
    *_, last = second
    assert last.result.report["video"]["files"] == {"fox.mp4": digest(video)}


def test_a_client_that_disconnects_leaves_no_files(endpoint, client, own_folder, temporary):
    video = write(own_folder / "fox.mp4", 1000)
    leaving = Client.connect(endpoint)
    leaving._outbox.post(announced("half", "a.mp4", False, ("a.mp4", 500)))
    leaving.animate(reading(video, seconds=30))
    within(5, lambda: client.status().running and len(received(temporary)) == 2)
    leaving.close()
    within(10, lambda: not received(temporary))


def test_a_missing_video_is_said_by_the_side_that_misses_it(client, tmp_path):
    with pytest.raises(Motion324Error) as caught:
        list(client.animate(reading(tmp_path / "none.mp4", send_video=True)))
    assert (caught.value.code, caught.value.exit_code) == ("video-missing", EXIT_BAD_VIDEO)
    # Not here, so it may be a path of the other machine's, which is asked for it.
    assert report_of(client, reading(tmp_path / "none.mp4"))["video"]["path"] == str(tmp_path / "none.mp4")


def test_a_video_that_shrinks_while_it_is_sent_is_an_error(client, own_folder, monkeypatch, temporary):
    from motion324.client import file_transfer

    video = write(own_folder / "fox.mp4", 1000)
    (file,) = file_transfer.files_of(reading(video))
    grown = [dataclasses.replace(file, files=((file.path, 2000),), key=dataclasses.replace(file.key, size=2000))]
    monkeypatch.setattr(file_transfer, "files_of", lambda wish: grown)
    with pytest.raises(Motion324Error) as caught:
        list(client.animate(reading(video)))
    assert caught.value.code == "video-changed"


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x.mp4", "/etc/passwd", "a/b.mp4", "a\\b.mp4", "C:x.mp4", "x\0.mp4", "x\n.mp4", "x.mp4.",
        "x ", "nul", "COM1.mp4", "x" * 300, "\udc80.mp4",
    ],
)  # fmt: skip
def test_names_that_are_no_plain_names_are_refused(name, client, temporary):
    with pytest.raises(Motion324Error):
        check_name(name)
    if "\udc80" in name:
        return  # cannot even be sent
    for what in (
        (name, False, (name, 1)),
        ("frames", True, ("a.png", 1), (name, 1)),
        (name, True, ("a.png", 1)),
    ):
        wish = request()
        events = client.start_examining(ExamineRequest(clip(), mesh=tetrahedron(seconds="5"), job_id=wish.job_id))
        client._outbox.post(announced(wish.job_id, *what))
        with pytest.raises(Motion324Error) as caught:
            list(events)
        assert caught.value.code in ("bad-file-name", "bad-message")
    assert not received(temporary)


def test_the_fields_of_a_part_are_bounded(client):
    wish = reading(Path("/nowhere"))
    events = client.start_examining(ExamineRequest(clip(), mesh=tetrahedron(seconds="5"), job_id=wish.job_id))
    client._outbox.post(UploadPart(wish.job_id, 0, np.zeros(PART_BYTES + 1, np.uint8)))
    with pytest.raises(Motion324Error, match="at most"):
        list(events)
