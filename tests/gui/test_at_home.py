"""Presets by the menu in the panel's header, and a video that is dropped, by mouse and keyboard."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_settings_are_saved_and_taken_back_and_a_video_is_dropped_on_an_object(tell_fast):
    report = tell_fast("at_home", screen=(1280, 960))
    assert report["saved"] == ["Walk.py"] and report["timing"] == "KEEP_FRAMES" and report["left"] == []
    assert report["video"] == "torus.mp4" and report["active"] == "Torus"
