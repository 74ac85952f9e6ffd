"""A finished motion is changed without being found again."""

from __future__ import annotations

import numpy as np
import pytest

from motion324.core.errors import Motion324Error
from motion324.core.motion.tweak import Tweak, resmoothed, tweaked
from motion324.trajectories.smoothing import smooth_trajectory


@pytest.fixture
def motion():
    return np.random.default_rng(3).normal(size=(24, 11, 3)).astype(np.float32)


@pytest.mark.parametrize(("before", "after"), [(0, 0.5), (0.5, 2), (0.5, 0), (1, 0.3), (0, 6)])
def test_one_smoothing_is_exchanged_for_another_as_if_the_job_had_had_it(motion, before, after):
    made = smooth_trajectory(motion, before)
    np.testing.assert_allclose(resmoothed(made, before, after), smooth_trajectory(motion, after), atol=5e-5)
    np.testing.assert_array_equal(resmoothed(made, before, after)[[0, -1]], motion[[0, -1]])


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames_can_be_smoothed_as_well(motion, frames):
    found = resmoothed(motion[:frames], 0, 2)
    np.testing.assert_allclose(found, smooth_trajectory(motion[:frames], 2), atol=1e-5)


def test_what_was_smoothed_away_beyond_rounding_is_not_blown_up(motion):
    made = smooth_trajectory(motion, 4)
    assert np.abs(resmoothed(made, 4, 0) - made).max() < np.abs(motion).max()


def test_no_change_is_no_copy(motion):
    found = tweaked(motion, Tweak(speed=2, start=9))
    assert found.positions is motion and len(found.frames) == 24


@pytest.mark.parametrize("strength", [0, 0.5, 1.5])
def test_strength_scales_the_way_from_the_meshs_own_shape(motion, strength):
    rest = motion[5]
    found = tweaked(motion, Tweak(strength=strength), rest)
    np.testing.assert_allclose(found.positions, rest + strength * (motion - rest), atol=1e-5)


def test_trimming_leaves_two_frames_at_least_and_tells_which(motion):
    assert list(tweaked(motion, Tweak(trim_start=3, trim_end=2)).frames) == list(range(3, 22))
    np.testing.assert_array_equal(tweaked(motion, Tweak(trim_start=3, trim_end=2)).positions, motion[3:22])
    assert list(tweaked(motion, Tweak(trim_start=99)).frames) == [22, 23]
    assert list(tweaked(motion, Tweak(trim_start=4, trim_end=99)).frames) == [4, 5]


def test_smoothing_does_not_pull_on_the_ends_that_trimming_makes(motion):
    whole = tweaked(motion, Tweak(smoothing=2)).positions
    np.testing.assert_array_equal(tweaked(motion, Tweak(smoothing=2, trim_start=5)).positions, whole[5:])


def test_what_hardly_moves_is_kept_still_and_what_moves_stays():
    rest = np.random.default_rng(0).uniform(-1, 1, (3, 3)).astype(np.float32)
    motion = np.repeat(rest[None], 10, axis=0)
    size = float(np.ptp(rest, axis=0).max())
    motion[:, 0, 0] += 0.005 * size * np.sin(np.arange(10))
    motion[:, 1, 0] += 0.5 * size * np.sin(np.arange(10))
    found = tweaked(motion, Tweak(still=1)).positions
    np.testing.assert_array_equal(found[:, 0], motion[[0] * 10, 0])
    np.testing.assert_array_equal(found[:, 1:], motion[:, 1:])


def test_a_loop_closes(motion):
    time = np.arange(30)[:, None, None]
    turning = np.concatenate([np.cos(time / 3), np.sin(time / 3), 0.02 * time], axis=2).astype(np.float32)
    turning = turning + np.random.default_rng(0).normal(size=(1, 8, 3)).astype(np.float32)
    found = tweaked(turning, Tweak(loop=True))
    assert len(found.frames) == len(found.positions) in (18, 19)
    steps = np.abs(np.diff(np.concatenate([found.positions, found.positions[:1]]), axis=0)).max(axis=(1, 2))
    assert steps[-1] < 1.6 * steps[:-1].max()
    with pytest.raises(Motion324Error, match="too few for a loop"):
        tweaked(turning[:2], Tweak(loop=True))
