"""A target rate of the input: frames nearest to evenly spaced moments are kept, and none is invented."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from motion324.core.errors import Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.progress import silent
from motion324.video import decoding
from motion324.video.decoding import read_numbered, read_video
from motion324.video.sampling import sample_video
from motion324.video.source import EvenMoments


def counting_video(path: Path, count: int, fps: float) -> Path:
    """Frame k is a plain grey of 4 k + 20."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    assert writer.isOpened()
    for index in range(count):
        writer.write(np.full((48, 64, 3), 4 * index + 20, np.uint8))
    writer.release()
    return path


def shown(frames: np.ndarray) -> list[int]:
    return np.round((frames.mean(axis=(1, 2, 3)) - 20) / 4).astype(int).tolist()


@pytest.mark.parametrize(
    ("rate", "numbers"), [(10, range(0, 50, 3)), (12, [0, 2, 5, 7, 10, 12, 15, 17, 20]), (15, range(0, 50, 2))]
)
def test_the_frames_nearest_to_even_moments_are_kept(tmp_path, rate, numbers):
    path = counting_video(tmp_path / "a.avi", 50, 30.0)
    clip = read_video(path, rate=rate)
    assert clip.fps == rate and clip.warnings == ()
    found = clip.frame_numbers.tolist()
    assert np.abs(np.array(found) / 30 - np.arange(len(found)) / rate).max() <= 0.5 / 30 + 1e-6
    assert found[: len(list(numbers))] == list(numbers)
    assert found[-1] >= 49 - 30 / rate and shown(clip.frames) == found
    assert set(sample_video(path, (None, None, 1), 8, silent, rate=rate).clip.frame_numbers.tolist()) <= set(found)


def test_range_and_step_choose_before_the_rate(tmp_path):
    path = counting_video(tmp_path / "a.avi", 50, 30.0)
    clip = read_video(path, (10, 40, 2), rate=5)
    assert clip.frame_numbers.tolist() == [10, 16, 22, 28, 34] and clip.fps == 5
    sample = sample_video(path, (10, 40, 2), 8, silent, rate=5)
    assert sample.used == 5 and sample.clip.frame_numbers.tolist() == [10, 16, 22, 28, 34] and sample.clip.fps == 5


def test_a_rate_is_never_raised_and_that_is_said(tmp_path):
    path = counting_video(tmp_path / "a.avi", 20, 12.0)
    clip = read_video(path, rate=24)
    assert clip.fps == pytest.approx(12) and clip.frame_numbers.tolist() == list(range(20))
    assert [warning["code"] for warning in clip.warnings] == ["video-rate-not-raised"]
    assert "12 per second" in clip.warnings[0]["sentence"]
    assert read_video(path, rate=12).frame_numbers.tolist() == list(range(20))


def test_a_rate_that_leaves_one_frame_is_refused_with_the_rate(tmp_path):
    with pytest.raises(Motion324Error, match=r"only 1 frame at 0\.5 frames per second"):
        read_video(counting_video(tmp_path / "a.avi", 10, 12.0), rate=0.5)


def test_uneven_frames_are_repeated_where_the_picture_stood_still(tmp_path):
    pages = [Image.fromarray(np.full((48, 64, 3), 25 * k, np.uint8)) for k in range(8)]
    held = [50, 50, 600, 50, 50, 50, 50, 50]  # milliseconds: shown at 0, 50, 100, 700, 750, 800, 850, 900
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:], duration=held, loop=0)
    clip = read_video(tmp_path / "a.gif", rate=5)
    assert clip.fps == 5
    assert [warning["code"] for warning in clip.warnings] == ["video-frame-rate-varies"]
    np.testing.assert_allclose(clip.frames[:, 20, 20, 0], 25 * clip.frame_numbers, atol=4)
    times = np.array([0, 50, 100, 700, 750, 800, 850, 900])[clip.frame_numbers]
    assert len(clip.frames) == 5 and (np.abs(times - 200 * np.arange(5)) <= 310).all()


def test_files_without_time_stamps_count_their_frames():
    moments = EvenMoments(rate=10, interval=1 / 30)
    assert [moments.wants(time) for time in [0.0] * 10] == [True, *[False, False, True] * 3]
    assert moments.chosen == [0, 1, 2, 3]


def test_a_folder_is_thinned_without_reading_the_images_in_between(tmp_path):
    for index in range(24):
        content = Image.fromarray(np.full((48, 64, 3), 10 * index, np.uint8))
        if index % 4:
            (tmp_path / f"{index:03d}.png").write_bytes(b"never read")
        else:
            content.save(tmp_path / f"{index:03d}.png")
    assert read_video(tmp_path, rate=6).frame_numbers.tolist() == [0, 4, 8, 12, 16, 20]


def test_frames_are_found_again_by_their_numbers(tmp_path):
    path = counting_video(tmp_path / "a.avi", 30, 30.0)
    clip = read_numbered(path, np.array([3, 5, 5, 20]), silent)
    assert clip.frame_numbers.tolist() == [3, 5, 5, 20] and shown(clip.frames) == [3, 5, 5, 20]
    assert read_numbered(path, np.array([28, 29, 40]), silent).frame_numbers.tolist() == [28, 29]


def test_the_option_is_checked():
    with pytest.raises(Motion324Error, match="video-fps"):
        AnimateOptions(video_fps=0).check()
    assert AnimateOptions.from_dict({"video_fps": "12"}).video_fps == 12


def test_the_rate_is_the_one_that_the_frames_times_tell(tmp_path, monkeypatch):
    """A header's rate may count frames that an edit list hides."""
    path = counting_video(tmp_path / "a.avi", 30, 15.0)
    opened = decoding.open_range

    def with_another_rate(*arguments):
        source, wanted = opened(*arguments)
        return dataclasses.replace(source, fps=13.9583), wanted

    monkeypatch.setattr(decoding, "open_range", with_another_rate)
    assert read_video(path).fps == pytest.approx(15)
    assert read_video(path, (0, None, 3)).fps == pytest.approx(5)
