"""Align Viewport, and a second take that is kept, by real clicks."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_the_viewport_is_aligned_and_a_second_take_replaces_the_first(tell_fast):
    report = tell_fast("second_take", screen=(1600, 1600))
    assert report["perspective"] == "PERSP" and report["turned_to"] == pytest.approx(30, abs=0.5)
    assert report["around"] == pytest.approx([-4.5, 0, 0], abs=1e-3)
    keys = [["Basis", *(f"Motion324 {n:04d}" for n in range(1, frames + 1))] for frames in (9, 6)]
    assert report["keys"] == [*keys, []]
    assert report["modifiers"] == [[], [], ["MESH_CACHE"]]
    assert max(report["errors"]) < 1e-5
