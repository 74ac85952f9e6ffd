"""Received files by themselves: names, room on the disk, what is kept and goes on, and what killed backends left."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.owned_folder import OwnedFolder
from motion324.server import file_transfer
from motion324.server.file_transfer import MAX_AT_ONCE, FileTransfer, remove_leftovers
from motion324.server.received_file import ReceivedFile, check_name
from motion324.wire.file_messages import FileKey, SentFile, Upload
from motion324.wire.protocol import ExamineRequest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses a path that only its own process sees")
BLENDER, OTHER = "a client", "another client"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    transfer = FileTransfer()
    yield transfer
    transfer.close()
    assert not list(tmp_path.iterdir())


def upload(size=10, name="a.mp4", job="j", folder="/client", sender=""):
    return Upload(job, sender or job, FileKey(f"{folder}/{name}", "f", size), name, False, ((name, size),))


def send(files, what, client=BLENDER):
    """All of it that is missing."""
    begin = files.begin(client, what)
    files.write(client, what.job_id, begin, np.arange(begin, what.key.size, dtype=np.uint8))


def look(what):
    return ExamineRequest(Path(what.key.path), files=(SentFile("video", what.key),), job_id=what.job_id)


def lying(tmp_path):
    return sorted(path.name for path in tmp_path.rglob("*.mp4"))


def test_files_are_kept_after_their_job_for_a_while_and_a_few_only(files, tmp_path, monkeypatch):
    monkeypatch.setattr(file_transfer, "MOST_KEPT", 3)
    for number, name in enumerate(("a.mp4", "b.mp4", "a.mp4", "c.mp4", "d.mp4")):
        what = upload(name=name, job=str(number))
        if files.which_are_here(BLENDER, [what.key]) != (True,):
            send(files, what)
        there, release = files.bring_into(BLENDER, look(what))
        assert there.video.read_bytes() == bytes(range(10))
        release()
    assert lying(tmp_path) == ["a.mp4", "c.mp4", "d.mp4"]
    monkeypatch.setattr(file_transfer, "KEPT_SECONDS", -1)
    files.forget_old()
    assert not lying(tmp_path)


def test_no_more_bytes_are_kept_than_may_be_but_all_that_jobs_use(files, tmp_path, monkeypatch):
    monkeypatch.setattr(file_transfer, "MOST_KEPT_BYTES", 15)
    releases = []
    for name in ("a.mp4", "b.mp4"):
        send(files, upload(name=name, job=name))
        releases.append(files.bring_into(BLENDER, look(upload(name=name, job=name)))[1])
    assert lying(tmp_path) == ["a.mp4", "b.mp4"]
    for release in releases:
        release()
        release()  # a second call does nothing
    assert lying(tmp_path) == ["b.mp4"]


def test_a_file_is_known_by_the_text_that_a_client_on_another_system_uses(files):
    what = upload(folder="C:\\Users\\Ada", name="fox.mp4")
    send(files, what)
    assert files.which_are_here(OTHER, [what.key]) == (True,)
    there, release = files.bring_into(OTHER, look(what))
    assert there.video.name == "fox.mp4" and there.video.exists()
    release()


def test_an_interrupted_upload_goes_on_where_it_was_for_another_connection_too(files):
    what = upload()
    assert files.begin(BLENDER, what) == 0
    assert files.write(BLENDER, "j", 0, np.arange(4, dtype=np.uint8)) == 4
    files.leave(BLENDER, forget=False)
    later = upload(job="k")
    assert files.which_are_here(OTHER, [later.key]) == (False,)
    assert files.begin(OTHER, later) == 4
    assert files.write(OTHER, "k", 4, np.arange(4, 10, dtype=np.uint8)) == 10
    there, release = files.bring_into(OTHER, look(later))
    assert there.video.read_bytes() == bytes(range(10))
    release()


def test_another_file_under_the_same_path_does_not_go_on_with_the_first(files):
    files.begin(BLENDER, upload())
    files.write(BLENDER, "j", 0, np.zeros(4, np.uint8))
    files.interrupt(BLENDER, "j")
    changed = Upload("k", "s", FileKey("/client/a.mp4", "g", 10), "a.mp4", False, (("a.mp4", 10),))
    assert files.begin(BLENDER, changed) == 0


def test_two_clients_may_send_the_same_file_at_a_time(files):
    for client in (BLENDER, OTHER):
        assert files.begin(client, upload(job=client)) == 0
    for client in (BLENDER, OTHER):
        assert files.write(client, client, 0, np.arange(10, dtype=np.uint8)) == 10


def test_an_upload_whose_client_has_gone_quiet_is_taken_over_and_the_first_is_told(files, monkeypatch):
    files.begin(BLENDER, upload())
    files.write(BLENDER, "j", 0, np.arange(4, dtype=np.uint8))
    monkeypatch.setattr(file_transfer, "QUIET_SECONDS", -1)
    assert files.begin(OTHER, upload(job="k")) == 4
    with pytest.raises(Motion324Error) as caught:
        files.write(BLENDER, "j", 4, np.arange(4, 10, dtype=np.uint8))
    assert caught.value.code == "upload-interrupted"
    assert files.write(OTHER, "k", 4, np.arange(4, 10, dtype=np.uint8)) == 10


def test_whoever_lost_the_connection_goes_on_though_the_backend_has_not_noticed_its_end(files):
    files.begin(BLENDER, upload(sender="Blender"))
    files.write(BLENDER, "j", 0, np.arange(4, dtype=np.uint8))
    assert files.begin(OTHER, upload(job="k", sender="Blender")) == 4
    files.leave(BLENDER, forget=False)
    assert files.write(OTHER, "k", 4, np.arange(4, 10, dtype=np.uint8)) == 10


def test_uploads_that_were_cancelled_do_not_count_as_being_sent(files):
    for number in range(3 * MAX_AT_ONCE):
        files.begin(BLENDER, upload(name=f"{number}.mp4", job=str(number)))
        files.interrupt(BLENDER, str(number))
    for number in range(MAX_AT_ONCE):
        files.begin(BLENDER, upload(name=f"{number}.mp4", job=f"again {number}"))
    with pytest.raises(Motion324Error, match="too many"):
        files.begin(BLENDER, upload(name="one more.mp4"))


def test_a_client_that_says_goodbye_leaves_only_what_jobs_use(files, tmp_path):
    send(files, upload(name="a.mp4", job="a"))
    _, release = files.bring_into(BLENDER, look(upload(name="a.mp4", job="a")))
    send(files, upload(name="b.mp4", job="b"))
    files.begin(BLENDER, upload(name="c.mp4", job="c"))
    send(files, upload(name="d.mp4", job="d"), OTHER)
    files.leave(BLENDER, forget=True)
    assert lying(tmp_path) == ["a.mp4", "d.mp4"]
    release()
    assert lying(tmp_path) == ["d.mp4"]


@pytest.mark.parametrize(
    "name", ["fox.mp4", "Füchsin läuft.mov", "狐.png", "a.b.c", "-", "console.mp4", "frame (1).png"]
)
def test_ordinary_names_are_taken(name):
    check_name(name)


@pytest.mark.parametrize(
    ("fingerprint", "name", "is_folder", "sent"),
    [
        ("", "a", False, (("a", 1),)),
        ("f", "a", False, (("b", 1),)),
        ("f", "a", False, (("a", 1), ("b", 1))),
        ("f", "a", False, ()),
        ("f", "a", True, (("A.png", 1), ("a.png", 1))),
        ("f", "a", False, (("a", 1 << 50),)),
    ],
)
def test_uploads_that_make_no_sense_are_refused(files, tmp_path, fingerprint, name, is_folder, sent):
    key = FileKey("/client/a", fingerprint, sum(size for _, size in sent))
    with pytest.raises(Motion324Error):
        files.begin(BLENDER, Upload("j", "s", key, name, is_folder, sent))
    assert not list(tmp_path.iterdir())


def test_a_request_whose_file_is_not_complete_or_not_there_is_refused(files):
    for complete in (False, True):
        what = upload(job=f"j{complete}")
        if not complete:
            files.begin(BLENDER, what)
            files.write(BLENDER, what.job_id, 0, np.zeros(9, np.uint8))
        with pytest.raises(Motion324Error, match="no longer has the file"):
            files.bring_into(BLENDER, look(what))
        files.leave(BLENDER, forget=True)


@pytest.mark.parametrize(("offset", "count"), [(0, 11), (1, 3), (10, 1)])
def test_bytes_that_do_not_follow_end_the_upload(files, offset, count):
    files.begin(BLENDER, upload())
    with pytest.raises(Motion324Error, match="came after 0"):
        files.write(BLENDER, "j", offset, np.zeros(count, np.uint8))
    assert files.write(BLENDER, "j", 0, np.zeros(1, np.uint8)) is None


def test_a_disk_without_room_is_said_before_anything_is_sent_once_what_is_kept_is_gone(files, tmp_path, monkeypatch):
    send(files, upload(name="kept.mp4", job="k"))
    files.interrupt(BLENDER, "k")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=300 << 20))
    files.begin(BLENDER, upload())
    assert lying(tmp_path) == ["a.mp4", "kept.mp4"]
    with pytest.raises(Motion324Error) as caught:
        files.begin(BLENDER, upload(100 << 20, "large.mp4", job="l"))
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", EXIT_CANNOT_WRITE)
    assert lying(tmp_path) == ["a.mp4"]


def test_a_disk_that_fills_up_while_files_come_ends_the_upload(files, full_disk):
    files.begin(BLENDER, upload(100_000))
    with full_disk(limit=512), pytest.raises(Motion324Error) as caught:
        for number in range(10):
            files.write(BLENDER, "j", 10_000 * number, np.zeros(10_000, np.uint8))
    assert caught.value.code == "disk-full"
    assert files.write(BLENDER, "j", 0, np.zeros(1, np.uint8)) is None


def test_leftovers_of_killed_backends_are_removed_and_those_of_living_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    alive = OwnedFolder("motion324-received-", tmp_path)
    dead, other = tmp_path / "motion324-received-dead", tmp_path / "motion324-received-of-somebody-else"
    for folder in (dead, other):
        (folder / "job").mkdir(parents=True)
    (tmp_path / "motion324-received-dead.lock").touch()
    remove_leftovers()
    assert sorted(path for path in tmp_path.iterdir() if path.is_dir()) == sorted([alive.path, other])
    alive.remove()


def test_received_files_hold_the_announced_names(tmp_path):
    what = Upload("j", "s", FileKey("/m", "f", 5), "m", True, (("1.png", 2), ("2.png", 0), ("3.png", 3), ("4.png", 0)))
    file = ReceivedFile(tmp_path, what)
    for offset, piece in ((0, [1, 2, 3]), (3, [4, 5])):
        file.write(offset, np.array(piece, np.uint8))
    assert file.is_complete and file.path == tmp_path / "m"
    assert [(path.name, path.read_bytes()) for path in sorted((tmp_path / "m").iterdir())] == [
        ("1.png", b"\1\2"),
        ("2.png", b""),
        ("3.png", b"\3\4\5"),
        ("4.png", b""),
    ]
