"""What is said of silhouettes that overlap badly, and of a view that is unsure."""

from __future__ import annotations

import pytest

from motion324.view.pose_fit import overlap_warnings


@pytest.mark.parametrize(
    ("overlap", "is_searched", "codes"),
    [
        (0.95, True, []),
        (0.90, True, []),
        (0.88, True, ["unsure-view"]),
        (0.68, True, ["unsure-view"]),
        (0.88, False, []),  # the user has given the view
        (0.59, True, ["low-overlap"]),
        (0.59, False, ["low-overlap"]),
    ],
)
def test_a_view_that_was_found_is_told_to_be_unsure_where_it_hardly_covers_the_object(overlap, is_searched, codes):
    warnings = overlap_warnings(overlap, "chest", "chest.mp4", is_searched)
    assert [each["code"] for each in warnings] == codes
    for each in warnings:
        assert f"{overlap:.2f}" in each["sentence"] and "'chest'" in each["sentence"]
        assert "AZIMUTH,ELEVATION" in each["sentence"] and "--pose any" in each["sentence"]
