"""The panel stands still and fits on a small screen, at 1 and at one and a half times the usual size."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_the_way_from_mesh_to_keep_needs_no_scrolling_and_nothing_moves(tell_fast, scale):
    report = tell_fast("panel_states", screen=(1280, 800), keep_as=f"panel_states_{scale:g}", values={"scale": scale})
    assert report["animate_y_before"] == report["animate_y"] == report["animate_y_then"]  # to the pixel
    assert report["keep_y"] == report["keep_y_then"]
    assert report["keep_y"] - report["discard_y"] > 50 * scale
    assert report["discarded"] and report["back"] and report["plays_while_running"]
    assert report["waits_after_undo"] and report["shown_after_undo"] == ["MESH_CACHE"] and report["kept_after_redo"]
    assert report["frames"] == [1, 45, 1, 23]
