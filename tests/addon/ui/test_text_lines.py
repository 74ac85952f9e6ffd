"""Sentences are drawn in lines that fit into where they stand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from addon.paper_layout import Paper

SENTENCE = "Blender cannot read this video: its frames are kept in a way that is not known here"


def lines_of(addon, **place) -> list[str]:
    paper = Paper()
    preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))  # which is 0 without a window
    context = SimpleNamespace(preferences=preferences, region=SimpleNamespace(width=400))
    addon("ui.text_lines").draw_lines(paper, context, SENTENCE, "ERROR", **place)
    return [what for function, what in paper.drawn if function == "label"]


@pytest.fixture(autouse=True)
def measured(addon, monkeypatch):
    """Seven pixels a letter: without a window Blender has no font to measure by."""
    font = SimpleNamespace(size=lambda font, size: None, dimensions=lambda font, text: (7.0 * len(text), 11.0))
    monkeypatch.setattr(addon("ui.text_lines"), "blf", font)


def test_a_sentence_in_the_column_of_values_has_shorter_lines_than_in_the_whole_panel(addon):
    whole, narrow = lines_of(addon), lines_of(addon, part=0.6)
    assert len(narrow) > len(whole) and " ".join(narrow) == " ".join(whole) == SENTENCE


def test_the_icon_takes_its_whole_width_of_a_part_as_well(addon):
    # 400 pixels less tabs and borders are 328, 0.6 of it are 196.8, and less the icon 176.8: 25 letters of 7 pixels.
    assert max(len(line) for line in lines_of(addon, part=0.6)) <= 25
    assert lines_of(addon, part=0.6)[0] == "Blender cannot read this"
    assert lines_of(addon)[0] == "Blender cannot read this video: its frames"
