"""One small frame of a video, for the panel: the right one, whole, and in the video's own shape."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from motion324.core.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.video.thumbnail import thumbnail

FRAMES = 40


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Frame k has the grey 5 * k; 640 x 320."""
    path = tmp_path_factory.mktemp("video") / "grey steps.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 24, (640, 320))
    for k in range(FRAMES):
        writer.write(np.full((320, 640, 3), 5 * k, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("number", [0, 1, 17, 39])
def test_the_frame_that_was_asked_for_comes_in_the_videos_shape(video, number):
    picture = thumbnail(video, number)
    assert picture.shape == (128, 256, 4) and (picture[..., 3] == 255).all()
    greys = []
    capture = cv2.VideoCapture(str(video))
    for _ in range(FRAMES):
        greys.append(capture.read()[1].mean())
    assert np.argmin(np.abs(np.array(greys) - picture[..., :3].mean())) == number


def test_a_folder_gives_its_images_in_natural_order_with_their_alpha(tmp_path):
    for k in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"frame_{k}.png"), np.full((20, 30, 4), (k, 0, 0, 100), np.uint8))
    for number, blue in enumerate((1, 2, 10)):
        picture = thumbnail(tmp_path, number)
        assert picture.shape == (20, 30, 4)
        assert picture[0, 0].tolist() == [0, 0, blue, 100]


def test_a_frame_that_is_not_there_is_told(video, tmp_path):
    for path, number in ((video, 400), (tmp_path / "none.mp4", 0)):
        with pytest.raises(Motion324Error):
            thumbnail(path, number)


def test_as_a_program_it_writes_the_size_and_the_pixels(video, tmp_path):
    command = [sys.executable, "-m", "motion324.video.thumbnail"]
    done = subprocess.run([*command, str(video), "3"], capture_output=True)
    size, _, pixels = done.stdout.partition(b"\n")
    assert (done.returncode, size, len(pixels)) == (0, b"256 128", 256 * 128 * 4)
    done = subprocess.run([*command, str(tmp_path / "none.mp4"), "3"], capture_output=True, text=True)
    assert done.returncode == EXIT_BAD_VIDEO and "does not exist" in done.stderr
