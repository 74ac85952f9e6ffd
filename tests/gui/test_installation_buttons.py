"""The buttons of *Other Ways* and of the preferences, pressed in the window with the tests' stand-in of an engine."""

from __future__ import annotations

import re
import zipfile

import pytest
from addon.stand_in_wheels import make_extension, make_library

pytestmark = pytest.mark.long


def test_the_engine_is_installed_from_a_folder_checked_and_removed(tell, gui_zip, tmp_path):
    with zipfile.ZipFile(gui_zip) as archive:
        names = archive.namelist()
        pip = archive.extract(next(name for name in names if name.startswith("installation/pip/pip-")), tmp_path)
        own = next(name for name in names if name.startswith("wheels/motion324-"))
    version = re.search(r"motion324-([\w.]+)-", own)[1]
    folders = {
        "extension": make_extension(tmp_path / "extension", version, tmp_path / pip),
        "wheels": make_library(tmp_path / "wheels").parent,
        "broken": make_library(tmp_path / "broken").parent,
    }
    next(folders["broken"].glob("*.whl")).write_bytes(b"this is no wheel")
    named = {name: f"{{files}}/{folder.name}" for name, folder in folders.items()}
    report = tell("installation", files=list(folders.values()), **named)
    assert report["problem"] and report["log"] and report["dismissed"]
    assert report["preferences"] == ["PREFERENCES", "ADDONS", "Motion324"]
    assert report["installed"] and report["works"]
    assert report["copied"].startswith("Motion324") or "stand-in-library" in report["copied"]
