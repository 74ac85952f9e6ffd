"""Results get into their folder all together or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from motion324.batches.folders import run_batch
from motion324.core.errors import Motion324Error
from motion324.core.files.exclusive_use import IN_USE, Hold
from motion324.core.files.owned_folder import UNFINISHED, OwnedFolder
from motion324.core.files.write_aside import write_error, written_aside
from motion324.pipeline.output_folder import OutputFolder


def test_files_arrive_together_when_the_block_ends(tmp_path):
    with OutputFolder(tmp_path / "new" / "out") as folder:
        (folder.staging / "a").write_text("1")
        (folder.staging / "b").write_text("2")
        assert [path for path in folder.path.iterdir() if path.is_dir()] == [folder.staging]
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == ["a", "b"]


def test_a_failed_block_leaves_neither_files_nor_new_folders(tmp_path):
    with pytest.raises(RuntimeError), OutputFolder(tmp_path / "new" / "out") as folder:
        (folder.staging / "a").write_text("1")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_block_leaves_what_was_there_before(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), OutputFolder(tmp_path) as folder:
        (folder.staging / "a").write_text("new")
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_files_of_an_earlier_run_are_replaced_and_others_stay(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "notes").write_text("mine")
    with OutputFolder(tmp_path) as folder:
        (folder.staging / "a").write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "notes": "mine"}


def test_a_file_in_place_of_the_folder_is_named_at_once(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(Motion324Error, match="out") as caught, OutputFolder(tmp_path / "out"):
        raise AssertionError
    assert caught.value.code == "cannot-write"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named_at_once(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(Motion324Error, match=r"locked.*permission denied") as caught, OutputFolder(tmp_path / "locked"):
        raise AssertionError
    assert caught.value.code == "cannot-write"


def test_a_full_disk_is_found_when_the_folder_is_entered(tmp_path, full_disk):
    with full_disk(), pytest.raises(Motion324Error) as caught, OutputFolder(tmp_path / "out"):
        raise AssertionError
    assert caught.value.code == "disk-full"
    assert list(tmp_path.iterdir()) == []


def test_too_little_space_is_told_with_both_numbers(tmp_path):
    with OutputFolder(tmp_path / "out") as folder, pytest.raises(Motion324Error, match=r"free.*need 1000000000 MB"):
        folder.check_space(10**15)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_without_room_is_told_from_other_errors(tmp_path, code):
    assert write_error(tmp_path, OSError(code, os.strerror(code))).code == "disk-full"
    other = write_error(tmp_path / "x", OSError(errno.EACCES, "Permission denied"))
    assert other.code == "cannot-write"
    assert other.sentence == f"'{tmp_path / 'x'}' could not be written: permission denied."


def test_a_file_written_aside_replaces_the_old_one_only_when_it_is_whole(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_aside(path) as aside:
        assert aside.suffix == ".mp4"
        aside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    with written_aside(path) as aside:
        aside.write_text("new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.mp4", "new")]


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_makes_is_not(tmp_path):
    (tmp_path / f"{UNFINISHED}dead").mkdir()
    (tmp_path / f"{UNFINISHED}dead.lock").touch()
    (tmp_path / IN_USE).write_text('{"process": 1}')
    living = OwnedFolder(UNFINISHED, tmp_path)
    with OutputFolder(tmp_path):
        assert not (tmp_path / f"{UNFINISHED}dead").exists()
        assert living.path.is_dir()
    living.remove()
    assert not list(tmp_path.iterdir())


def test_a_second_run_is_told_who_fills_the_folder(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from motion324.pipeline.output_folder import OutputFolder\n"
        "with OutputFolder(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            other.stdout.readline()
            told = rf"The output folder '.*out' is in use by process {other.pid} since [\d:]+\."
            with pytest.raises(Motion324Error, match=told) as caught, OutputFolder(tmp_path / "out"):
                raise AssertionError
            with pytest.raises(Motion324Error, match=told):
                run_batch([], tmp_path / "out")
        finally:
            other.kill()
    assert caught.value.code == "in-use" and caught.value.exit_code == 6
    with OutputFolder(tmp_path / "out") as folder:  # a killed one keeps nobody out
        (folder.staging / "a").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_a_holder_on_another_machine_or_day_is_named(tmp_path):
    with Hold(tmp_path, "output folder") as held:
        held.lock_path.write_text('{"process": 7, "machine": "render-12", "since": "2020-02-03T04:05:06+00:00"}')
        with pytest.raises(Motion324Error, match="process 7 on render-12 since 2020-02-03"), Hold(tmp_path, "folder"):
            raise AssertionError
        held.lock_path.write_text("")
        with pytest.raises(Motion324Error, match="in use by another run"), Hold(tmp_path, "folder"):
            raise AssertionError
