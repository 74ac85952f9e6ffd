"""Folders whose owner is told by a lock: a killed process's are swept, a living one's never."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys

import pytest

from motion324.core.files import owned_folder
from motion324.core.files.owned_folder import OwnedFolder, remove_abandoned, remove_if_abandoned

HOLDER = """
import sys, time
from pathlib import Path
from motion324.core.files.owned_folder import OwnedFolder
folder = OwnedFolder("work-", Path(sys.argv[1]))
(folder.path / "file").write_text("half")
print(folder.path, flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that owns a folder in tmp_path."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_folder_goes_with_its_owner_and_leaves_nothing(tmp_path):
    folder = OwnedFolder("work-", tmp_path)
    assert folder.path.name.startswith("work-") and folder.path.stat().st_mode & 0o077 == 0
    (folder.path / "file").touch()
    folder.remove()
    folder.remove()
    assert not list(tmp_path.iterdir())


def test_a_killed_owner_s_folder_is_swept_and_a_living_one_s_is_not(holder, tmp_path):
    own = OwnedFolder("work-", tmp_path)
    assert remove_abandoned("work-", tmp_path) == []
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    (gone,) = remove_abandoned("work-", tmp_path)
    assert gone != own.path and not gone.exists()
    assert own.path.is_dir()
    own.remove()
    assert not list(tmp_path.iterdir())


def test_what_carries_no_lock_or_belongs_to_others_is_left_alone(tmp_path):
    (tmp_path / "work-without").mkdir()
    (tmp_path / "other-x").mkdir()
    (tmp_path / "other-x.lock").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "work-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "work-link.lock").touch()
    assert remove_abandoned("work-", tmp_path) == []
    assert not remove_if_abandoned(tmp_path / "work-without")
    assert (tmp_path / "elsewhere").is_dir() and (tmp_path / "other-x").is_dir()
    assert remove_abandoned("work-", tmp_path / "none") == []


def test_a_disk_without_locks_gives_folders_that_nobody_sweeps(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(owned_folder, "_lock", refuse)
    folder = OwnedFolder("work-", tmp_path)
    assert list(tmp_path.iterdir()) == [folder.path]
    assert remove_abandoned("work-", tmp_path) == []
    folder.remove()
    assert not list(tmp_path.iterdir())


def test_a_parent_that_is_no_folder_raises_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError):
        OwnedFolder("work-", tmp_path / "none")
    assert not list(tmp_path.iterdir())
