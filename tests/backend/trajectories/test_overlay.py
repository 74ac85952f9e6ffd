"""The videos that a job may leave: overlay and cut-outs."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.view import look_at_origin
from motion324.trajectories.result_files import OUTLINE, outlined, write_cutouts, write_overlay
from motion324.video.writing import VideoFile


def frames_of(path):
    """(T, H, W, 3) uint8 RGB, and the frames per second."""
    capture = cv2.VideoCapture(str(path))
    fps, frames = capture.get(cv2.CAP_PROP_FPS), []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    capture.release()
    return np.stack(frames), fps


def test_the_overlay_shows_the_input_its_outline_and_the_mesh_where_it_is(tmp_path, box, sliding_square):
    offsets = np.linspace(0, 1.5, 12)
    positions = box.positions + np.stack([offsets, 0 * offsets, 0 * offsets], axis=1)[:, None]
    path = tmp_path / "overlay.mp4"
    write_overlay(path, sliding_square, box, positions, look_at_origin(0, 0, 3, 1.2), 12.0)
    frames, fps = frames_of(path)
    assert (frames.shape, fps) == ((12, 64, 288, 3), 12.0)
    difference = frames[:, :, :96].astype(int) - sliding_square.frames
    assert np.abs(difference).mean() < 8
    drawn = (frames[:, :, 192:].astype(int).sum(axis=3) < 600).any(axis=1)
    centres = [np.flatnonzero(columns).mean() for columns in drawn]
    assert centres[-1] - centres[0] > 10
    assert np.corrcoef(centres, offsets)[0, 1] > 0.9


def test_the_outline_runs_along_the_masks_border_only():
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    image = outlined(np.zeros((60, 60, 3), np.uint8), mask)
    assert tuple(image[20, 30]) == OUTLINE
    assert not image[30, 30].any()
    assert not image[5, 5].any()


def test_cutouts_show_the_object_on_black_and_white_and_its_mask(tmp_path, sliding_square):
    masks = (sliding_square.frames[..., 1] < 128).astype(np.float32)
    write_cutouts(tmp_path, sliding_square, masks)
    black, white, mask = (frames_of(tmp_path / n)[0] for n in ("cutout_black.mp4", "cutout_white.mp4", "mask.mp4"))
    assert black.shape == white.shape == mask.shape == (12, 64, 96, 3)
    assert black[6, 5, 5].max() < 20
    assert white[6, 5, 5].min() > 235
    assert np.abs(black[6, 32, 40].astype(int) - (200, 30, 20)).max() < 30
    assert mask[6, 32, 40].min() > 235
    assert mask[6, 5, 5].max() < 20


def test_odd_sizes_are_written_too(tmp_path):
    with VideoFile(tmp_path / "odd.mp4", 10.0) as video:
        for _ in range(3):
            video.write(np.full((33, 47, 3), 120, np.uint8))
    assert frames_of(tmp_path / "odd.mp4")[0].shape == (3, 34, 48, 3)


def test_cancelling_leaves_no_half_video(tmp_path, sliding_square):
    def cancel(stage, done, total):
        if done == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_cutouts(tmp_path, sliding_square, np.ones(sliding_square.frames.shape[:3], np.float32), cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_the_disk_has_no_room_for_is_found_out(tmp_path, full_disk):
    noise = np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3), dtype=np.uint8)
    with (
        pytest.raises(Motion324Error, match=r"noise\.mp4"),
        full_disk(),
        VideoFile(tmp_path / "noise.mp4", 10.0) as video,
    ):
        for frame in noise:
            video.write(frame)
    assert list(tmp_path.iterdir()) == []


def test_a_long_trajectory_must_fit_the_clip(tmp_path, box, sliding_square):
    positions = np.repeat(box.positions[None], 13, axis=0)
    with pytest.raises(ValueError, match="zip"):
        write_overlay(
            tmp_path / "o.mp4", dataclasses.replace(sliding_square), box, positions, look_at_origin(0, 0, 3, 1), 1
        )
    assert list(tmp_path.iterdir()) == []
