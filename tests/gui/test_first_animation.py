"""A first animation in the real window, by mouse and keyboard: from the zip, over the real backend, to the export."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long
NOTICED = 10  # seconds, beside other programs as well: well below what waiting for an answer would take


def test_a_first_animation_from_installing_to_export(tell, index):
    index.pause = 0.002  # so that there is a download to be cancelled
    environment = {"PIP_INDEX_URL": index.url, "PIP_CONFIG_FILE": "/dev/null"}
    report = tell("first_animation", environment=environment, mesh="{files}/shiba.glb", video="{files}/shiba.mp4")
    assert report["bytes_when_cancelled"] > 0
    asked = [name for name, span in index.asked if not span]
    had = set(report["had_when_cancelled"])
    again = {name for name in asked if asked.count(name) > 1}  # one of which nothing had come may be
    assert had and not had & again, "nothing that had come was downloaded from its start again"
    assert report["cancel_seconds"] < NOTICED
    assert report["keys"] == 9
    assert report["fbx_bytes"] > 100_000
    assert "no alpha channel" in report["error"]
    assert report["loss_seconds"] < NOTICED
