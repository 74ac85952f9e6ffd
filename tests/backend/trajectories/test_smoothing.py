"""The temporal low-pass: zero phase, ends that stay, slow motion that does not freeze, strength in frames.

And trembling, which goes where fast motion stays.
"""

from __future__ import annotations

import numpy as np
import pytest

from motion324.trajectories import smoothing
from motion324.trajectories.smoothing import TREMBLING, discrete_gaussian, smooth_trajectory, steadied


def along_time(values, vertices=2):
    """(T,) -> (T, vertices, 3), the same motion everywhere."""
    return np.repeat(np.asarray(values, np.float32)[:, None, None], 3 * vertices, axis=1).reshape(-1, vertices, 3)


def test_the_first_and_the_last_frame_stay_exactly():
    positions = np.random.default_rng(0).normal(size=(20, 7, 3)).astype(np.float32)
    smooth = smooth_trajectory(positions, 2.0)
    np.testing.assert_array_equal(smooth[[0, -1]], positions[[0, -1]])
    assert np.abs(smooth[1:-1] - positions[1:-1]).max() > 0.1


@pytest.mark.parametrize("sigma", [0.3, 1.0, 6.0])
@pytest.mark.parametrize("frames", [3, 5, 40])
def test_constant_velocity_stays_as_it_is(frames, sigma):
    time = np.arange(frames)[:, None, None]
    velocity = np.random.default_rng(1).normal(size=(1, 6, 3))
    positions = (5.0 + time * velocity).astype(np.float32)
    np.testing.assert_allclose(smooth_trajectory(positions, sigma), positions, atol=1e-5)


def test_slow_motion_passes_and_never_freezes():
    positions = along_time(1e-4 * np.sin(np.arange(80) * 2 * np.pi / 40))
    smooth = smooth_trajectory(positions, 1.0)
    assert smooth[10, 0, 0] == pytest.approx(1e-4 * np.exp(np.cos(2 * np.pi / 40) - 1), rel=1e-3)
    moving = np.abs(np.diff(positions[:, 0, 0])) > 2e-6
    assert (np.abs(np.diff(smooth[:, 0, 0]))[moving] > 0).all()


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("period", [4, 8, 20])
def test_the_gain_is_the_one_that_the_strength_promises_and_nothing_comes_late(sigma, period):
    omega = 2 * np.pi / period
    time = np.arange(200)
    smooth = smooth_trajectory(along_time(np.cos(omega * time + 0.7)), sigma)[:, 0, 0]
    gain = np.exp(sigma**2 * (np.cos(omega) - 1))
    inside = slice(30, -30)
    np.testing.assert_allclose(smooth[inside], gain * np.cos(omega * time + 0.7)[inside], atol=2e-5)


@pytest.mark.parametrize("sigma", [0.25, 0.5, 1.0, 3.0])
def test_the_strength_is_the_kernels_standard_deviation_in_frames(sigma):
    weights = discrete_gaussian(sigma)
    offsets = np.arange(len(weights)) - len(weights) // 2
    assert weights.sum() == pytest.approx(1)
    assert np.sqrt((weights * offsets**2).sum()) == pytest.approx(sigma, rel=2e-3)


def test_it_does_the_same_backwards_in_time():
    positions = np.random.default_rng(2).normal(size=(31, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(
        smooth_trajectory(positions[::-1], 1.5)[::-1], smooth_trajectory(positions, 1.5), atol=1e-6
    )


def test_blocks_of_vertices_do_not_change_the_result(monkeypatch):
    positions = np.random.default_rng(3).normal(size=(9, 50, 3)).astype(np.float32)
    whole = smooth_trajectory(positions, 1.0)
    monkeypatch.setattr(smoothing, "BLOCK_VALUES", 200)
    np.testing.assert_array_equal(smooth_trajectory(positions, 1.0), whole)


def test_it_may_write_over_its_input():
    positions = np.random.default_rng(4).normal(size=(9, 50, 3)).astype(np.float32)
    expected = smooth_trajectory(positions, 1.0)
    assert smooth_trajectory(positions, 1.0, out=positions) is positions
    np.testing.assert_array_equal(positions, expected)


@pytest.mark.parametrize(("frames", "sigma"), [(10, 0.0), (1, 2.0), (2, 2.0)])
def test_nothing_changes_where_it_is_switched_off_or_there_are_only_ends(frames, sigma):
    positions = np.random.default_rng(5).normal(size=(frames, 3, 3)).astype(np.float32)
    np.testing.assert_array_equal(smooth_trajectory(positions, sigma), positions)


def test_trembling_goes_and_fast_motion_stays():
    time, size = np.arange(60), 3.0
    shake = np.random.default_rng(6).normal(scale=0.2 * TREMBLING * size, size=60)
    gallop = 0.2 * size * np.sin(time * 2 * np.pi / 6)
    steady = steadied(along_time(shake), size)[:, 0, 0]
    assert np.abs(np.diff(steady, 2)).mean() < 0.4 * np.abs(np.diff(shake, 2)).mean()
    fast = steadied(along_time(gallop), size)[:, 0, 0]
    np.testing.assert_allclose(fast, gallop, atol=TREMBLING * size / 2)
    assert np.abs(smooth_trajectory(along_time(gallop), 0.5)[:, 0, 0] - gallop).max() > 5 * TREMBLING * size


def test_steadying_keeps_ends_and_motion_of_constant_velocity_and_follows_the_size():
    positions = np.random.default_rng(7).normal(scale=0.01, size=(12, 5, 3)).astype(np.float32)
    steady = steadied(positions, 5.0)
    np.testing.assert_array_equal(steady[[0, -1]], positions[[0, -1]])
    np.testing.assert_allclose(steadied(100 * positions, 500.0), 100 * steady, rtol=1e-5)
    straight = (np.arange(9)[:, None, None] * positions[0]).astype(np.float32)
    np.testing.assert_allclose(steadied(straight, 5.0), straight, atol=1e-6)
    assert steadied(positions, 5.0, out=positions) is positions
    np.testing.assert_array_equal(positions, steady)


def test_a_mesh_without_size_is_left_as_it_is():
    positions = np.random.default_rng(8).normal(size=(5, 1, 3)).astype(np.float32)
    np.testing.assert_array_equal(steadied(positions, 0.0), positions)
