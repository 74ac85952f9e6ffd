"""What processes that were killed while they wrote have left is known by its name, and nothing else is taken away."""

from __future__ import annotations

import errno
import os
import shutil
from types import SimpleNamespace

import pytest

from motion324.core.errors import Motion324Error
from motion324.core.files.write_aside import explained_write_errors, remove_unfinished, told_full, written_aside


@pytest.mark.parametrize("name", ["fox.npz", "fox", "a.b.npz", "f" * 250 + ".npz", "ä" * 120 + ".npz"])
def test_unfinished_files_are_taken_away_whatever_their_name_is(tmp_path, name):
    path = tmp_path / name
    with written_aside(path) as aside:
        aside.write_bytes(b"whole")
        left = aside.name
    (tmp_path / left).write_bytes(b"half")
    others = [
        ".other.12.unfinished.npz",
        ".fox.12.unfinished.glb",
        f"{name[:20]}.12.unfinished",
        ".fox.x.unfinished.npz",
    ]
    for other in others:
        (tmp_path / other).touch()
    remove_unfinished(tmp_path, {path})
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, *others])
    assert path.read_bytes() == b"whole"


def test_an_error_of_a_file_aside_names_the_file_that_it_was_to_be(tmp_path):
    with (
        pytest.raises(Motion324Error, match=r"no room for '.*/fox\.npz'"),
        written_aside(tmp_path / "fox.npz") as aside,
        explained_write_errors(aside),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_error_of_a_file_in_a_folder_that_is_not_whole_yet_names_the_folder_that_it_is_to_be(tmp_path):
    with (
        pytest.raises(Motion324Error, match=r"no room for '.*/result/fox\.npz'"),
        explained_write_errors(tmp_path / "result" / ".motion324-unfinished-1a2b" / "fox.npz"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("why", "free", "is_full"),
    [
        ("[Errno 28] No space left on device: '/there/fox.glb'", 1 << 30, True),
        ("File too large", 1 << 30, True),
        ("it does not say why", 1 << 30, False),
        ("it does not say why", 99_999, True),
    ],
)
def test_what_another_program_says_of_a_full_disk_is_told_as_one(tmp_path, monkeypatch, why, free, is_full):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    found = told_full(tmp_path / "fox.glb", why)
    assert (found is not None and found.code == "disk-full") == is_full
