"""Every button of the sidebar and of the preferences is pressed by some story."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORIES = Path(__file__).with_name("inside")
BY_NAME = re.compile(r'"(keep_\w+|preview_mask|find_view|new_mesh)"')  # stories that press several by one line
# A story's own functions that press what they are told are called so, too.
PRESSED = re.compile(r"""(?:click|press\w*|open)\((?:driver, )?(?:report, )?f?["']motion324\.(\w+)""")


def test_there_is_no_button_that_no_story_presses():
    addon = ROOT / "motion324_addon"
    sources = [*addon.glob("panels/*.py"), addon / "installation/drawing.py"]
    drawn = set(re.findall(r'"motion324\.(\w+)"', "".join(path.read_text("utf-8") for path in sources)))
    stories = "".join(path.read_text("utf-8") for path in STORIES.glob("*.py"))
    pressed = set(PRESSED.findall(stories)) | set(BY_NAME.findall(stories))
    assert {"animate", "play", "load_example"} <= drawn & pressed
    assert not drawn - pressed


@pytest.mark.long
@pytest.mark.parametrize("part", ["shot", "result", "dialogs", "preferences"])
def test_every_field_is_changed_by_the_mouse(tell_fast, part):
    files, values = {"paper": ROOT / "tests/addon/paper_layout.py"}, {"part": part}
    name = f"every_field_{part}"
    report = tell_fast("every_field", screen=(1280, 1000), files=files, keep_as=name, values=values, frames=9)
    assert report["failed"] == [] and report["left_out"] == []
    assert all(report["changed"].values()), report["changed"]
    if part == "dialogs":
        assert report["still"] == [1, 7]  # of the video's frames 0 to 8
    if part == "preferences":
        assert report["engines"] == ["INSTALLED", "PYTHON", "REMOTE"]


@pytest.mark.long
def test_the_other_buttons_do_what_they_say(tell_fast):
    report = tell_fast("other_buttons", screen=(1280, 800), frames=6)
    assert report["picked"] and report["stopped"] and report["mask"] and report["own_mesh"]
    assert report["from_camera"] == 90 and len(report["from_viewport"]) == 2
    assert (report["frames"], report["takes"]) == (4, 1)  # of the first take
    assert report["worst"] == report["went_to"] and report["removed"] and report["log"] and report["tried_again"]
