"""The pictures of docs/film.md, taken by pressing the real buttons with the real engine."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.long


def test_the_example_goes_from_an_empty_scene_to_a_file_for_a_game_engine(tell, backend):
    report = tell("film", backend=backend, screen=(1280, 960))
    print(json.dumps(report, indent=1))
    assert report["clicks_to_result"] == 2
    assert report["match"] > 0.85 and report["went_to"] == report["worst"][0][0] and report["doubt_shown"]
    assert report["pins"] == ["POINT"] and report["missed"] < 1.0  # pixels
    assert report["fbx_bytes"] > 100_000
