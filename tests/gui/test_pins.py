"""A point is pinned with the mouse in the real viewport."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_a_point_is_dragged_to_its_place_and_refine_brings_it_there(tell_fast):
    report = tell_fast("pins", screen=(1280, 1600))
    assert report["pins"] == [["PLACE", 3]]
    assert report["picked"] == report["vertex"] and report["off"] < 1.0
    assert report["dragged"] == pytest.approx([0, 60], abs=2.0)
    assert report["reached"] < 1e-5
    assert report.get("german", "Verfeinern") == "Verfeinern"  # where this Blender has languages at all
