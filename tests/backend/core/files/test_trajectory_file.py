"""trajectory.npz: what is saved is loaded again, by plain numpy too."""

from __future__ import annotations

import dataclasses
import re
import tracemalloc

import numpy as np
import pytest

from motion324.core.errors import Motion324Error
from motion324.core.files.trajectory_file import load_trajectory, save_trajectory
from motion324.core.result import AnimationResult
from motion324.core.view import View, look_at_origin


@pytest.fixture
def result(box):
    positions = np.stack([box.positions + index for index in range(4)])
    view = View(**{**vars(look_at_origin(30, 10, 3, 1.4)), "centre": (0.45, 0.55)})
    return AnimationResult(positions, np.array([10, 12, 14, 16]), 12.5, view)


def test_a_saved_trajectory_is_loaded_exactly(tmp_path, box, result):
    save_trajectory(tmp_path / "t.npz", result, box.faces)
    loaded = load_trajectory(tmp_path / "t.npz")
    np.testing.assert_array_equal(loaded.positions, result.positions)
    np.testing.assert_array_equal(loaded.faces, box.faces)
    np.testing.assert_array_equal(loaded.frame_numbers, result.frame_numbers)
    np.testing.assert_array_equal(loaded.view.rotation, result.view.rotation)
    np.testing.assert_array_equal(loaded.view.translation, result.view.translation)
    assert (loaded.fps, loaded.view.focal, loaded.view.centre) == (12.5, 1.4, (0.45, 0.55))


def test_the_cameras_motion_is_kept_where_there_is_any(tmp_path, box, result):
    save_trajectory(tmp_path / "t.npz", result, box.faces)
    assert load_trajectory(tmp_path / "t.npz").camera_to_first is None
    moving = np.repeat(np.eye(3)[None], 4, axis=0)
    moving[:, 0, 2] = np.arange(4) / 7
    save_trajectory(tmp_path / "t.npz", dataclasses.replace(result, camera_to_first=moving), box.faces)
    np.testing.assert_array_equal(load_trajectory(tmp_path / "t.npz").camera_to_first, moving)
    for wrong in (moving[:3], 0 * moving):
        save_trajectory(tmp_path / "t.npz", dataclasses.replace(result, camera_to_first=wrong), box.faces)
        with pytest.raises(Motion324Error, match="a camera's motion"):
            load_trajectory(tmp_path / "t.npz")


def test_plain_numpy_reads_it_without_pickles(tmp_path, box, result):
    save_trajectory(tmp_path / "t.npz", result, box.faces)
    with np.load(tmp_path / "t.npz", allow_pickle=False) as arrays:
        assert arrays["positions"].dtype == np.float32
        assert arrays["positions"].shape == (4, 8, 3)
        assert arrays["faces"].shape == (12, 3)
        assert float(arrays["fps"]) == 12.5


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_something_else_is_refused_with_its_name(tmp_path, content):
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(Motion324Error, match=r"t\.npz") as caught:
        load_trajectory(tmp_path / "t.npz")
    assert caught.value.code == "trajectory-unreadable"


def test_an_archive_without_its_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "t.npz", positions=np.zeros((1, 2, 3)))
    with pytest.raises(Motion324Error, match="faces"):
        load_trajectory(tmp_path / "t.npz")


@pytest.mark.parametrize("name", ["positions", "view_rotation"])
def test_an_archive_that_would_unpack_to_far_more_than_it_is_takes_no_memory(tmp_path, box, result, name):
    save_trajectory(tmp_path / "t.npz", result, box.faces)
    with np.load(tmp_path / "t.npz") as arrays:
        whole = dict(arrays)
    np.savez_compressed(tmp_path / "bomb.npz", **{**whole, name: np.zeros((30, 10**6, 3), np.float32)})
    assert (tmp_path / "bomb.npz").stat().st_size < 10**6
    tracemalloc.start()
    try:
        with pytest.raises(Motion324Error, match=r"would unpack to 360 MB, more than such a file ever holds"):
            load_trajectory(tmp_path / "bomb.npz")
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


def test_what_is_wrong_with_an_archive_is_told_in_words(tmp_path, box, result):
    save_trajectory(tmp_path / "t.npz", result, box.faces)
    with np.load(tmp_path / "t.npz") as arrays:
        whole = dict(arrays)
    for name, value in (
        ("positions", np.array([[["a", "b", "c"]]])),
        ("positions", np.array([None, 1])),
        ("fps", np.array(["fast"])),
        ("view_centre", np.zeros(0)),
    ):
        np.savez(tmp_path / "t.npz", **{**whole, name: value})
        with pytest.raises(Motion324Error) as caught:
            load_trajectory(tmp_path / "t.npz")
        assert not re.search("Error|pickle|convert|index", str(caught.value))


def test_a_full_disk_leaves_no_half_file(tmp_path, box, result, full_disk):
    with full_disk(), pytest.raises(Motion324Error) as caught:
        save_trajectory(tmp_path / "t.npz", result, box.faces)
    assert caught.value.code == "disk-full"
    assert list(tmp_path.iterdir()) == []
