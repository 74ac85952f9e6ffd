"""A first animation in the real window, by mouse and keyboard, with the real backend."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_a_first_animation_from_installing_to_export(tell):
    report = tell("first_animation", mesh="{files}/shiba.glb", video="{files}/shiba.mp4")
    assert report["cancel_seconds"] < 2
    assert report["keys"] == 9
    assert report["fbx_bytes"] > 100_000
    assert "no alpha channel" in report["error"]
    assert report["loss_seconds"] < 2
