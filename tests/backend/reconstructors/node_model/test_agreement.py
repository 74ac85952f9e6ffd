"""What two looks agree on is kept, and their spread tells the error."""

from __future__ import annotations

import numpy as np
import pytest

from motion324.reconstructors.node_model.agreement import (
    ERROR_OVER_SPREAD,
    LEAST_ERROR,
    UNTOLD,
    agreed,
    disagreement,
    expected_error,
)

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("count", [2, 4])
def test_an_error_is_expected_by_the_spread_of_all_looks(count):
    looks = RNG.normal(0.4, 0.01, (count, 3, 50, 3)).astype(np.float32)
    spread = np.sqrt(looks.astype(np.float64).var(axis=0, ddof=1).sum(axis=-1))
    np.testing.assert_allclose(expected_error(list(looks)), ERROR_OVER_SPREAD * spread + LEAST_ERROR, rtol=1e-3)


def test_looks_that_agree_expect_next_to_no_error_however_far_off_the_origin():
    look = RNG.normal(0.5, 0.2, (2, 50, 3)).astype(np.float32)
    np.testing.assert_allclose(expected_error([look] * 4), LEAST_ERROR, atol=1e-6)


def test_answers_disagree_by_their_spread_over_their_motion():
    rest = RNG.normal(size=(50, 3)).astype(np.float32)
    moved = rest + np.float32([0.1, 0, 0])
    assert disagreement([np.stack([rest, moved])] * 2, rest) < 1e-5
    other = rest + np.float32([0.1, 0.04, 0])
    off = disagreement([np.stack([rest, moved]), np.stack([rest, other])], rest)
    assert off == pytest.approx(0.04 / 2**0.5 / np.hypot(0.1, 0.02), rel=1e-3)


def test_motion_along_the_view_is_held_back_as_far_as_answers_disagree_on_it():
    rng = np.random.default_rng(0)
    rest, ahead = rng.normal(size=(50, 3)), np.array([0.0, 0.6, 0.8])
    across = rng.normal(size=(4, 50, 1)) * np.array([1.0, 0.0, 0.0])
    depth = rng.normal(size=(4, 50, 1)) * ahead
    noise = [part * ahead for part in rng.normal(size=(2, 4, 50, 1))]
    found = agreed([rest + across + 0.1 * part for part in noise], rest, ahead, 1e-3)
    assert np.abs((found - rest - across) @ ahead).mean() < 0.02, "they agree on nothing"
    sure = agreed([rest + across + depth, rest + across + depth], rest, ahead, 1e-3)
    np.testing.assert_allclose(sure, rest + across + depth, atol=1e-5)
    half = agreed([rest + across + depth + part for part in noise], rest, ahead, 1e-3)
    kept = ((half - rest) @ ahead).std() / ((depth + sum(noise) / 2) @ ahead).std()
    assert 0.55 < kept < 0.8, "two thirds of the mean's square are motion"
    np.testing.assert_allclose(half[..., 0] - rest[:, 0], across[..., 0], atol=1e-5)
    small, pixel = rest + 0.01 * (across + depth), 0.01 / UNTOLD
    kept = (agreed([small, small], rest, ahead, pixel) - rest) @ ahead / (0.01 * depth @ ahead)
    assert 0.3 < kept.mean() < 0.7 and kept.std() < 1e-3, "what hardly moves across the view"
