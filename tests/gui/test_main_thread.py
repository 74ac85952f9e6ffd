"""Blender stays responsive while 20,000 vertices x 256 frames arrive, plays them fluently, and quits cleanly."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from gui import window

TESTS = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.long


@pytest.fixture
def tell_fast(gui_zip, tmp_path):
    """tell_fast(story, frames=256, ...) tells a story with a backend whose jobs take no time of their own."""
    if window.missing():
        pytest.skip(window.missing())
    backend = os.environ.get("MOTION324_TEST_BACKEND")
    if not backend:
        pytest.skip("MOTION324_TEST_BACKEND names no Python that has the backend; `make test-all` sets it")
    python = Path(backend).absolute()

    def tell(story: str, **wish: object) -> dict:
        launcher, video = tmp_path / "python", tmp_path / "wish.json"
        launcher.write_text(f"#!/bin/sh\nexec '{python}' '{TESTS / 'addon/wobbling_backend.py'}' \"$@\"\n")
        launcher.chmod(0o755)
        video.write_text(json.dumps({"do": "wobble", **wish}))
        files = [gui_zip, launcher, video]
        given = dict(zip(("zip_path", "backend", "video"), (f"{{files}}/{file.name}" for file in files), strict=True))
        report, _ = window.tell(story, given, files, [python], screen=(640, 480))
        assert report["ok"], report["error"]
        return report

    return tell


def test_the_main_thread_is_never_away_for_long(tell_fast):
    report = tell_fast("main_thread", frames=256)
    print(json.dumps(report, indent=1))
    for step, gaps in report["gaps"].items():
        assert gaps["most_on_the_processor"] <= 50, (step, gaps)
    drawing = report["gaps"]["the view is drawn"]["longest_gap"]
    arriving = report["gaps"]["frames arrive"]
    assert arriving["longest_without_drawing"] <= 50 and arriving["longest_gap"] <= 50 + drawing
    assert report["frame_ms"] < 1000 / 20 and report["playback_fps"] > 0  # which the processor draws here


def test_quitting_in_the_middle_of_a_job_leaves_nothing_behind(tell_fast):
    report = tell_fast("quitting", frames=200, pause=0.1)
    time.sleep(1.0)
    assert not Path(f"/proc/{report['backend_process']}").exists()
    preview = window.ROOT / Path(report["preview"]).relative_to("/")
    assert preview.name == "preview0.pc2" and not preview.parent.parent.exists()
