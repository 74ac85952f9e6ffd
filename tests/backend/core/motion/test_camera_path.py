"""The camera that is drawn over a video whose own camera moves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from motion324.core.motion.camera_path import moved_view, similarities
from motion324.core.view import look_at_origin

SIZE = 360, 640  # height and width
ASPECT = SIZE[1] / SIZE[0]
POINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
VIEW = dataclasses.replace(look_at_origin(30, 20, 3.0, 1.5), centre=(0.6, 0.45))


def seen_through(view):
    """(20, 2) in units of the picture's height."""
    return view.project(POINTS, *SIZE)[0] / SIZE[0]


def in_frame(to_first, places):
    homogeneous = np.column_stack([places, np.ones(len(places))]) @ np.linalg.inv(to_first).T
    return homogeneous[:, :2] / homogeneous[:, 2:]


@pytest.mark.parametrize(
    ("grown", "shift"), [(1, 0.3 - 0.1j), (1.4, 0), (np.exp(0.3j), 0.2j), (0.7 * np.exp(-1.2j), -0.4 + 0.1j)]
)
def test_pans_zooms_and_rolls_are_followed_exactly(grown, shift):
    spin = np.array([[grown.real, -grown.imag], [grown.imag, grown.real]])
    to_first = np.vstack([np.column_stack([spin, [shift.real, shift.imag]]), [0, 0, 1]])
    a, b = similarities(to_first[None], ASPECT)
    moved = moved_view(VIEW, a[0], b[0], ASPECT)
    np.testing.assert_allclose(seen_through(moved), in_frame(to_first, seen_through(VIEW)), atol=1e-9)
    np.testing.assert_allclose(moved.position, VIEW.position, atol=1e-12)  # it turns and zooms where it stands


def test_a_turning_lens_is_followed_as_well_as_a_similarity_can():
    turn = np.radians(4)
    to_first = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    lens = np.array([[1.5, 0, ASPECT / 2], [0, 1.5, 0.5], [0, 0, 1]])
    to_first = lens @ to_first @ np.linalg.inv(lens)
    a, b = similarities(to_first[None], ASPECT)
    expected, found = in_frame(to_first, seen_through(VIEW)), seen_through(moved_view(VIEW, a[0], b[0], ASPECT))
    assert np.abs(expected - seen_through(VIEW)).max() > 0.1
    assert np.abs(expected - found).max() < 0.02
