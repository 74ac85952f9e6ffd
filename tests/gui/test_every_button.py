"""Every button of the sidebar is pressed by some story; what is left is written down here, so that it cannot grow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORIES = Path(__file__).with_name("inside")
BY_NAME = re.compile(r'"(keep_\w+|preview_mask|find_view|new_mesh)"')  # stories that press several by one line
# In the preferences and in popovers, where the stories' mouse does not look; tests without a window call them.
NEVER_PRESSED = {
    "check_installation",
    "copy_report",
    "dismiss_installation",
    "install_from_folder",
    "open_installation_log",
    "open_preferences",
    "remove_backend",
}


def test_the_buttons_that_no_story_presses_are_known():
    addon = ROOT / "motion324_addon"
    sources = [*addon.glob("panels/*.py"), addon / "installation/drawing.py"]
    drawn = set(re.findall(r'"motion324\.(\w+)"', "".join(path.read_text("utf-8") for path in sources)))
    stories = "".join(path.read_text("utf-8") for path in STORIES.glob("*.py"))
    pressed = set(re.findall(r"motion324\.(\w+)", stories)) | set(BY_NAME.findall(stories))
    assert {"animate", "play", "load_example"} <= drawn & pressed
    assert drawn - pressed == NEVER_PRESSED


@pytest.mark.long
def test_the_other_buttons_do_what_they_say(tell_fast):
    report = tell_fast("other_buttons", screen=(1280, 800), frames=6)
    assert report["picked"] and report["stopped"] and report["mask"] and report["own_mesh"]
    assert report["from_camera"] == 90 and len(report["from_viewport"]) == 2
    assert (report["frames"], report["takes"]) == (6, 1)
    assert report["worst"] == report["went_to"] and report["removed"] and report["log"]
