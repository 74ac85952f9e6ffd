"""Pictures of long clips lie in files that nobody sees, and their masks as bytes that read as the masks they were."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from full_disk import full_disk  # noqa: F401  (a fixture)

from motion324.core.errors import Motion324Error
from motion324.core.files import frame_storage
from motion324.core.files.frame_storage import (
    ByteMasks,
    let_go_of_pictures,
    pictures_taken,
    room_for_masks,
    room_for_pictures,
)

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def in_files(monkeypatch, tmp_path):
    """All pictures are held in files, in a folder of their own."""
    monkeypatch.setattr(frame_storage, "HELD_IN_MEMORY", 0)
    monkeypatch.setattr(frame_storage.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_is_written_to_a_file_stays_when_memory_lets_go_of_it(in_files):
    pictures = room_for_pictures((5, 30, 40, 3))
    assert not pictures.any()
    values = np.random.default_rng(0).integers(0, 256, pictures.shape).astype(np.uint8)
    pictures[:] = values
    let_go_of_pictures()
    assert (pictures == values).all()
    assert (pictures_taken(pictures, np.array([4, 0, 4])) == values[[4, 0, 4]]).all()


@on_linux
def test_a_process_need_not_hold_what_lies_in_a_file(in_files):
    pictures = room_for_pictures((32, 1 << 20))
    pictures[:] = 7
    held = _resident()
    let_go_of_pictures()
    assert held - _resident() > 30e6
    assert pictures[31, 5] == 7


def test_the_file_is_gone_with_the_last_array_that_looks_at_it(in_files):
    pictures = room_for_pictures((3, 10))
    part = pictures[1:]
    assert list(in_files.iterdir()) == []  # nobody finds it, so that a killed process leaves nothing either
    del pictures
    gc.collect()
    assert len(frame_storage._mapped) == 1
    del part
    gc.collect()
    assert len(frame_storage._mapped) == 0


@on_linux
def test_a_killed_process_leaves_no_file(tmp_path):
    code = (
        "import os, signal; from motion324.core.files import frame_storage as s; s.HELD_IN_MEMORY = 0;"
        "a = s.room_for_pictures((1 << 20,)); a[:] = 1; os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_written(in_files, full_disk):  # noqa: F811
    with full_disk(), pytest.raises(Motion324Error) as told:
        room_for_pictures((1 << 16,))
    assert told.value.code == "disk-full"
    assert str(in_files) in str(told.value)


def test_a_file_system_that_reserves_nothing_is_written_to(in_files, monkeypatch, full_disk):  # noqa: F811
    monkeypatch.delattr(os, "posix_fallocate")
    assert not room_for_pictures((3, 1000)).any()
    with full_disk(), pytest.raises(Motion324Error) as told:
        room_for_pictures((1 << 16,))
    assert told.value.code == "disk-full"


def test_short_clips_are_held_in_memory_and_their_masks_whole():
    masks = room_for_masks((2, 30, 40))
    assert isinstance(masks, np.ndarray) and masks.dtype == np.float32
    assert not len(frame_storage._mapped)


def test_masks_as_bytes_read_as_what_was_written_to_a_255th(in_files):
    masks = room_for_masks((6, 30, 40))
    assert isinstance(masks, ByteMasks)
    values = np.random.default_rng(0).random((6, 30, 40)).astype(np.float32)
    for index, value in enumerate(values):
        masks[index] = value
    masks[2, :5, 3:9] = 2.0  # beyond 1 nothing is
    values[2, :5, 3:9] = 1.0
    assert masks.shape == values.shape and len(masks) == 6
    for index, mask in enumerate(masks):
        assert mask.dtype == np.float32
        assert np.abs(mask - values[index]).max() <= 0.5 / 255 + 1e-6
    assert masks[3].max() <= 1 and (masks[2, :5, 3:9] == 1).all()
    assert np.abs(masks[[5, 1]] - values[[5, 1]]).max() <= 0.5 / 255 + 1e-6
    later = masks[2:]
    assert isinstance(later, ByteMasks)
    later[0] = np.zeros((30, 40))
    assert not masks[2].any()


def _resident() -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
