"""Presets by the menu in the panel's header, by mouse and keyboard."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_settings_are_saved_taken_back_and_removed(tell_fast):
    report = tell_fast("presets", screen=(1280, 960))
    assert report["saved"] == ["Walk.py"] and report["timing"] == "KEEP_FRAMES" and report["left"] == []
