"""A video dropped on the viewport by another program."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_a_dropped_video_is_chosen_and_the_object_below_it_selected(tell_fast):
    report = tell_fast("drop", screen=(1280, 800))
    assert report["torus"] == [True, "dropped on torus.mp4", "Torus"]
    assert report["nothing"] == [True, "dropped on nothing.mp4", "Torus"]
