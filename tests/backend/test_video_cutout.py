"""Cut-out videos are complete, on black and on white, or do not appear."""

from __future__ import annotations

import os

import numpy as np
import pytest

from motion324.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.video.clip import VideoClip
from motion324.video.cutout import FILE_NAMES, write_cutouts
from motion324.video.decoding import read_video


def test_cutouts_and_masks_are_written(tmp_path, sliding_square):
    masks = (sliding_square.frames[..., 1] < 128).astype(np.float32)
    seen = []
    paths = write_cutouts(sliding_square, masks, tmp_path / "new" / "cut", lambda *step: seen.append(step))
    assert [path.name for path in paths] == list(FILE_NAMES)
    assert sorted(path.name for path in (tmp_path / "new" / "cut").iterdir()) == sorted(FILE_NAMES)
    black, white, mask = (read_video(path).frames.astype(int) for path in paths)
    inside, outside = (slice(None), 32, 43), (slice(None), 8, 8)
    for video, level in ((black, 0), (white, 255)):
        np.testing.assert_allclose(video[inside], np.tile([200, 30, 20], (12, 1)), atol=16)
        np.testing.assert_allclose(video[outside], level, atol=6)
    np.testing.assert_allclose(mask[inside], 255, atol=6)
    np.testing.assert_allclose(mask[outside], 0, atol=6)
    assert seen[0] == ("write", 0, 36) and seen[-1][1] == 35


def test_odd_sizes_are_padded(tmp_path):
    clip = VideoClip(np.full((3, 33, 65, 3), 90, np.uint8), fps=10.0, frame_numbers=np.arange(3))
    paths = write_cutouts(clip, np.ones((3, 33, 65), np.float32), tmp_path)
    frames = read_video(paths[0]).frames
    assert frames.shape == (3, 34, 66, 3)
    np.testing.assert_allclose(frames, 90, atol=4)


def test_a_full_disk_leaves_nothing_behind(tmp_path, sliding_square, full_disk):
    masks = np.ones(sliding_square.frames.shape[:3], np.float32)
    with full_disk(limit=600), pytest.raises(Motion324Error) as caught:
        write_cutouts(sliding_square, masks, tmp_path)
    assert caught.value.exit_code == EXIT_CANNOT_WRITE
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path, sliding_square):
    (tmp_path / "file").write_text("in the way")
    masks = np.ones(sliding_square.frames.shape[:3], np.float32)
    with pytest.raises(Motion324Error, match="file"):
        write_cutouts(sliding_square, masks, tmp_path / "file")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable_is_named(tmp_path, sliding_square):
    tmp_path.chmod(0o555)
    masks = np.ones(sliding_square.frames.shape[:3], np.float32)
    with pytest.raises(Motion324Error, match="not writable"):
        write_cutouts(sliding_square, masks, tmp_path)
    tmp_path.chmod(0o755)
