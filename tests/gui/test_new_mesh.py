"""A new mesh from the video in the real window, with the real backend; pictures in out/gui/new_mesh/."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_a_mesh_is_made_undone_stopped_and_animated_by_mouse_and_keyboard(tell, backend):
    report = tell("new_mesh", backend=backend, video="{files}/shiba.mp4")
    assert report["objects"] == report["after_redo"] == ["shiba"]
    assert 2000 <= report["vertices"] <= 20000
    assert report["after_undo"] == [] and report["stopped"]
    assert report["frames"] == 8 and report["overlap"] > 0.9
