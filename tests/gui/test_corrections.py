"""The buttons of the panel Corrections that no mouse has to drag for, and Push to NLA."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_a_group_stays_still_and_a_pose_is_taken_discarded_and_removed(tell_fast):
    report = tell_fast("corrections", screen=(1280, 1000))
    assert report["still"] == [["STILL", "South"]]
    assert report["lifted"] == [0.5, 0.5]
    assert report["pins"] == [["STILL"], ["STILL", "POSE"]] and report["left"] == ["STILL"]
    assert report["moved"] < 1e-5
    assert len(report["strips"]) == 1
