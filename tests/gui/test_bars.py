"""A bar that ends under the mouse leaves the picture, the label and the box that come after it as they are."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_no_widget_is_painted_as_a_bar_once_the_bar_is_gone(tell_fast):
    report = tell_fast("bars", screen=(1600, 1600), do="wait")
    assert {name.removesuffix("_bar") for name in report if name.endswith("_bar")} == {
        *("mask_wobble", "mask_fail", "view_wobble", "mesh_wobble", "job_wobble")
    }
    for name, pixels in report.items():
        if name.endswith("_bar"):
            assert pixels > 500, name
        elif name.endswith("_end"):
            assert pixels == 0, name
