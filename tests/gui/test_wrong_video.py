"""Mesh and video that do not belong together, in the real window with the real backend."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_a_monkey_and_a_dogs_video_are_told_before_the_job_in_it_and_after_it(tell, backend):
    report = tell("wrong_video", backend=backend, screen=(1280, 800), video="{files}/shiba.mp4")
    assert report["overlap"] < 0.65
    said, icon = report["before"]
    assert said == f"Match {100 * report['overlap']:.0f} % (poor): does the video show this mesh?"
    assert icon == "ERROR"
    match, frames_ready = report["meanwhile"]
    assert match < 0.65 and frames_ready == 0
    assert any("does not look like the first frame of 'shiba.mp4'" in each for each in report["after"])
    if "in_german" in report:
        assert any("sieht nicht wie der erste Frame von 'shiba.mp4' aus" in each for each in report["in_german"])
