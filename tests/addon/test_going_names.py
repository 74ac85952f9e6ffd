"""What Blender 6.0 removes is asked for in older versions only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*ROOT.glob("motion324_addon/**/*.py"), *ROOT.glob("backend/motion324/**/*.py"), *ROOT.glob("examples/*.py")]
# Properties whose names nothing else has, and what has to stand around each: the version, or a look at what is there.
GOING = ("use_nodes", "frame_final_duration", "frame_final_start", "frame_final_end", "frame_offset_start")
GUARDS = ("bpy.app.version", "hasattr(", "bl_rna.properties", "is_deprecated")


@pytest.mark.parametrize("name", GOING)
def test_a_name_that_goes_is_used_behind_a_guard(name):
    unguarded = []
    for path in SOURCES:
        lines = path.read_text("utf-8").splitlines()
        for number, line in enumerate(lines):
            around = "\n".join(lines[max(number - 2, 0) : number + 1])
            if re.search(rf"\b{name}\b", line) and not any(guard in around for guard in GUARDS):
                unguarded.append(f"{path.relative_to(ROOT)}:{number + 1}: {line.strip()}")
    assert unguarded == []


def test_the_names_are_still_looked_for():
    found = "".join(path.read_text("utf-8") for path in SOURCES)
    assert "use_nodes" in found and "frame_final_duration" in found
