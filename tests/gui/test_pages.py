"""The manual's pages, by F1 and by the link in the panel's header."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_f1_and_the_link_lead_to_the_part_of_the_page_that_is_about_it(tell_fast):
    report = tell_fast("pages", screen=(1280, 800))
    page = "first-animation.html"
    chosen = f"{page}#2-choose-the-mesh-and-the-video"
    assert report["shown"] == [f"{page}#3-animate", chosen, f"{page}#3-animate", page]
    assert report["gone"] == []
