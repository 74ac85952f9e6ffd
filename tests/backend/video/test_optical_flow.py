"""Optical flow of pictures that show an object on black."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from motion324.video.optical_flow import DenseFlow, FlowAroundObject


def picture(x: int, y: int, side: int = 60) -> np.ndarray:
    """A patterned square whose first pixel is (x, y), in 200 x 240 pixels."""
    pattern = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    pattern = cv2.GaussianBlur(pattern, (0, 0), 3)
    shown = np.zeros((200, 240), np.uint8)
    shown[y : y + side, x : x + side] = np.clip(140 + 400 * pattern, 60, 230)
    return shown


def test_only_what_lies_around_the_object_is_looked_at(monkeypatch):
    seen = []
    between = DenseFlow.between
    monkeypatch.setattr(DenseFlow, "between", lambda self, a, b: seen.append(a.shape) or between(self, a, b))
    flow = FlowAroundObject().between(picture(90, 70), picture(94, 68))
    assert seen == [(62 + 32, 64 + 32)]
    inside = flow[80:120, 100:140]
    assert np.abs(np.median(inside, axis=(0, 1)) - [4, -2]).max() < 0.1
    assert not flow[:40].any() and not flow[:, :60].any()


def test_flow_that_is_refined_less_is_nearly_the_same():
    first, second = picture(90, 70), picture(94, 68)
    differ = np.linalg.norm(FlowAroundObject().between(first, second) - DenseFlow().between(first, second), axis=2)
    assert 0 < np.median(differ[first > 0]) < 0.1


@pytest.mark.parametrize(("first", "second"), [((0, 0), (3, 2)), ((178, 138), (180, 140))])
def test_objects_at_the_border_and_tiny_ones_have_flow(first, second):
    flow = FlowAroundObject().between(picture(*first), picture(*second))
    middle = flow[first[1] + 20 : first[1] + 40, first[0] + 20 : first[0] + 40]
    assert np.abs(np.median(middle, axis=(0, 1)) - np.subtract(second, first)).max() < 0.2
    assert np.isfinite(FlowAroundObject().between(picture(*first, side=2), picture(*second, side=2))).all()


def test_pictures_that_show_nothing_have_no_flow():
    empty = np.zeros((40, 50), np.uint8)
    assert not FlowAroundObject().between(empty, empty).any()
