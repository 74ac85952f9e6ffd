"""Jobs that wait, and results that wait: taken out of the queue, kept and discarded one by one, by real clicks."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_jobs_are_queued_and_results_kept_one_by_one(tell_fast):
    report = tell_fast("several_results", screen=(1600, 1000), frames=60, pause=3)
    assert report["queued"] == ["Cube", "Cone"]
    assert report["after_moving"] == ["Cone", "Cube"] and report["after_cancelling"] == [0, 0]
    assert report["after_removing"] == ["Cube"]
    assert report["keys"] == {"Ball": 61, "Torus": None, "Cube": None}
    assert report["modifiers"] == {"Ball": [], "Torus": ["MESH_CACHE"], "Cube": []}
