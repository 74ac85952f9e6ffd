"""Turntable and exports by real clicks: the file browser opens, proposes a free name, and the video cannot be hit."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_turntable_and_exports_are_written_beside_the_video_and_never_over_it(tell):
    report = tell("file_dialogs", mesh="{files}/shiba.glb", video="{files}/shiba.mp4")
    turntable = "shiba_turntable.mp4"
    engines = ["shiba_vat.json", "shiba_rig.glb"]
    assert report["proposed"] == [turntable, "shiba_animated.glb", "shiba_animated.fbx", *engines, turntable]
    assert report["turntable_frames"] == 3
    assert report["video_stays"]
    assert report["put_back"] == [["Armature", "shiba"], "shiba"]
    exports = ["shiba_animated.fbx", "shiba_animated.glb", "shiba_rig.fbx", turntable]
    textures = ["shiba_vat.glb", "shiba_vat.json", "shiba_vat_normal.exr", "shiba_vat_position.exr"]
    assert report["files"] == ["shiba.glb", "shiba.mp4", *exports, *textures]
