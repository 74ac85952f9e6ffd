"""Motion cut to loops and frame rates: known curves come back, and what is asked for closes."""

from __future__ import annotations

import numpy as np
import pytest

from motion324.core.errors import Motion324Error
from motion324.core.motion.edited_motion import edit_motion
from motion324.core.motion.retiming import closed_loop, find_loop, frame_range, nearest_frames, resample
from motion324.core.options.engine_settings import MotionEdits

POINTS = np.random.default_rng(4).normal(size=(60, 3)).astype(np.float32)


def swinging(frames, period, drift=0.0):
    """(T, 60, 3): every point swings with the period, in a direction and with a phase of its own."""
    time = np.arange(frames)[:, None, None]
    swing = 0.3 * np.sin(2 * np.pi * time / period + POINTS[:, [1, 2, 0]])
    return (POINTS + swing + drift * time).astype(np.float32)


def test_a_loop_is_as_many_whole_periods_as_fit():
    loop = find_loop(swinging(52, 12))
    assert loop.count == 48
    assert loop.step < 1e-5
    assert loop.whole_step > 0.01


def test_a_loop_is_found_between_a_start_and_an_end_that_do_not_belong_to_it():
    motion = swinging(48, 16)
    rng = np.random.default_rng(1)
    motion[:7] += np.linspace(2, 0, 7, endpoint=False)[:, None, None] * rng.normal(size=(1, 60, 3))
    motion[44:] += np.linspace(0, 2, 4)[:, None, None] * rng.normal(size=(1, 60, 3))
    loop = find_loop(motion, shortest=20)
    assert loop.first >= 7 and loop.count == 32
    assert loop.step < 1e-5


def test_a_loop_is_not_cut_where_the_motion_turns_back():
    """Half a period on, all points are at the same place, but go the other way."""
    time = np.arange(40)[:, None, None]
    motion = (POINTS + 0.3 * np.sin(2 * np.pi * time / 20)).astype(np.float32)
    assert find_loop(motion, shortest=8).count == 20


def test_closing_spreads_what_the_end_is_off_over_the_frames():
    motion = swinging(40, 16, drift=0.01)
    loop = find_loop(motion, shortest=30)
    closed = closed_loop(motion, loop)
    assert closed.shape == (loop.count, 60, 3)
    off = np.linalg.norm(motion[loop.first + loop.count] - motion[loop.first], axis=1)
    assert loop.step == pytest.approx(off.max()) and loop.mean_step == pytest.approx(off.mean()) and off.min() > 0.1
    assert np.linalg.norm(closed - motion[loop.first : loop.first + loop.count], axis=-1).max() <= loop.step / 2 + 1e-5
    ordinary = np.linalg.norm(np.diff(closed, axis=0), axis=-1).max()
    assert np.linalg.norm(closed[0] - closed[-1], axis=-1).max() <= 1.01 * ordinary


def test_too_few_frames_for_a_loop_are_told():
    with pytest.raises(Motion324Error, match="5 frames are too few for a loop of at least 8") as raised:
        find_loop(swinging(5, 4), shortest=8)
    assert raised.value.code == "too-short-to-loop"


def test_a_clip_of_one_frame_is_refused():
    np.testing.assert_array_equal(frame_range(10, (2, None, 3)), [2, 5, 8])
    with pytest.raises(Motion324Error, match="clip leaves 1 of the 10 frames"):
        frame_range(10, (9, None, 1))


def test_resampling_keeps_the_frames_that_fall_together_and_the_speed():
    motion = swinging(31, 15)
    double = resample(motion, 15, 30)
    assert len(double) == 61
    np.testing.assert_allclose(double[::2], motion, atol=1e-6)
    truth = swinging(61, 30)
    assert np.abs(double - truth)[4:-4].max() < 2e-3 and np.abs(double - truth).max() < 0.01
    np.testing.assert_allclose(resample(double, 30, 15), motion, atol=1e-6)


def test_resampling_to_a_rate_that_does_not_divide_ends_at_the_last_frame_that_is_reached():
    line = np.arange(25, dtype=np.float64)
    found = resample(line, 24, 30)
    np.testing.assert_allclose(found, np.arange(31) * 0.8, atol=1e-9)
    np.testing.assert_array_equal(nearest_frames(25, 24, 30), np.rint(np.arange(31) * 0.8))
    assert len(resample(line, 24, 5)) == 6  # 0, 4.8, ... 24


def test_a_resampled_loop_still_closes():
    loop = swinging(16, 16)
    found = resample(loop, 24, 60, closed=True)
    assert len(found) == 40
    assert np.abs(found - swinging(40, 40)).max() < 2e-3
    assert nearest_frames(16, 24, 60, closed=True).max() == 15


def test_edits_follow_each_other_and_say_what_became_of_the_motion():
    motion = swinging(60, 16)
    edited = edit_motion(motion, 24.0, "Y", MotionEdits.of({"clip": "3:", "loop": True, "resample": 48.0}))
    assert edited.closed and edited.fps == 48.0
    assert edited.report["loop"]["frames"] == 48 and edited.report["loop"]["first"] >= 3
    assert len(edited.positions) == 96 == len(edited.source_frames)
    assert edited.source_frames.min() >= 3
    np.testing.assert_allclose(edited.positions[0], motion[edited.source_frames[0]], atol=1e-4)
    assert not edited.warnings


def test_a_loop_of_what_does_not_come_back_is_warned_of():
    edited = edit_motion(swinging(40, 400, drift=0.05), 24.0, "Y", MotionEdits(loop=True))
    (warning,) = edited.warnings
    assert warning["code"] == "loop-does-not-meet"
    assert edited.report["loop"]["step"] > 0.05


def test_a_step_of_the_clip_lowers_the_rate():
    edited = edit_motion(swinging(41, 16), 30.0, "Y", MotionEdits.of({"clip": "0:41:2"}))
    assert edited.fps == 15.0 and len(edited.positions) == 21
