"""Received files by themselves: names, room on the disk, what is kept of looks, and what killed backends left."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.server.client_files import ClientFiles
from motion324.server.uploads import ReceivedFiles, UploadFolder, Uploads, check_name, remove_leftovers
from motion324.wire.protocol import ExamineRequest
from motion324.wire.upload_messages import Upload, UploadedPath

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses a path that only its own process sees")


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = UploadFolder()
    yield Uploads(folder)
    folder.remove()
    assert not list(tmp_path.iterdir())


def one(size):
    return Upload("j", (UploadedPath("video", "a.mp4", False, (("a.mp4", size),)),))


def test_files_of_looks_are_kept_for_a_while_and_a_few_only(uploads, tmp_path, monkeypatch):
    files = ClientFiles(uploads)

    def look(name):
        wish = ExamineRequest(Path(f"/client/{name}"))
        if not any(files.which_are_here([(str(wish.video), "f")])):
            uploads.begin(Upload(wish.job_id, (UploadedPath("video", name, False, ((name, 3),)),)))
            uploads.write(wish.job_id, np.zeros(3, np.uint8))
        there, release = files.bring_into(wish)
        assert there.video.read_bytes() == bytes(3)
        release()

    def lying():
        return sorted(path.name for path in tmp_path.rglob("*.mp4"))

    for name in ("a.mp4", "b.mp4", "a.mp4", "c.mp4", "d.mp4", "e.mp4"):
        look(name)
    assert lying() == ["a.mp4", "c.mp4", "d.mp4", "e.mp4"]
    monkeypatch.setattr("motion324.server.client_files.KEPT_SECONDS", -1)
    files.forget_old()
    assert not lying()


@pytest.mark.parametrize(
    "name", ["fox.mp4", "Füchsin läuft.mov", "狐.png", "a.b.c", "-", "console.mp4", "frame (1).png"]
)
def test_ordinary_names_are_taken(name):
    check_name(name)


@pytest.mark.parametrize(
    "paths",
    [
        (),
        (UploadedPath("weights", "a", False, (("a", 1),)),),
        (UploadedPath("video", "a", False, (("b", 1),)),),
        (UploadedPath("video", "a", False, (("a", 1), ("b", 1))),),
        (UploadedPath("video", "a", True, (("A.png", 1), ("a.png", 1))),),
        (UploadedPath("video", "a", False, (("a", 1),)), UploadedPath("video", "b", False, (("b", 1),))),
        (UploadedPath("video", "a", False, (("a", 1 << 50),)),),
    ],
)
def test_uploads_that_make_no_sense_are_refused(paths):
    folder = UploadFolder()
    with pytest.raises(Motion324Error):
        Uploads(folder).begin(Upload("j", paths))
    assert folder._path is None


def test_a_request_whose_files_are_incomplete_is_refused(uploads):
    uploads.begin(one(10))
    uploads.write("j", np.zeros(9, np.uint8))
    files = uploads.take("j")
    with pytest.raises(Motion324Error, match="1 of 10 bytes"):
        files.places()
    files.release()


def test_more_bytes_than_announced_end_the_upload(uploads):
    uploads.begin(one(10))
    with pytest.raises(Motion324Error, match="more bytes"):
        uploads.write("j", np.zeros(11, np.uint8))
    assert uploads.write("j", np.zeros(1, np.uint8)) is None


def test_a_disk_without_room_is_said_before_anything_is_sent(uploads, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=300 << 20))
    uploads.begin(one(10))
    with pytest.raises(Motion324Error) as caught:
        Uploads(uploads._folder).begin(one(100 << 20))
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", EXIT_CANNOT_WRITE)


def test_a_disk_that_fills_up_while_files_come_ends_the_upload(uploads, full_disk):
    uploads.begin(one(100_000))
    with full_disk(limit=512), pytest.raises(Motion324Error) as caught:
        for _ in range(10):
            uploads.write("j", np.zeros(10_000, np.uint8))
    assert caught.value.code == "disk-full"
    assert uploads.take("j") is None


def test_leftovers_of_killed_backends_are_removed_and_those_of_living_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, alive, other = (
        tmp_path / f"motion324-received-{name}" for name in (f"{2**22 + 1}-x", f"{os.getpid()}-x", "x-y")
    )
    for folder in (dead, alive, other):
        (folder / "job").mkdir(parents=True)
    remove_leftovers()
    assert sorted(tmp_path.iterdir()) == sorted([alive, other])


def test_received_files_hold_the_announced_names(tmp_path):
    upload = Upload("j", (UploadedPath("mask", "m", True, (("1.png", 2), ("2.png", 0), ("3.png", 3))),))
    (tmp_path / "mask" / "m").mkdir(parents=True)
    files = ReceivedFiles(tmp_path, upload)
    for piece in ([1, 2, 3], [4, 5]):
        files.write(np.array(piece, np.uint8))
    assert [(path.name, path.read_bytes()) for path in sorted((tmp_path / "mask" / "m").iterdir())] == [
        ("1.png", b"\1\2"),
        ("2.png", b""),
        ("3.png", b"\3\4\5"),
    ]
