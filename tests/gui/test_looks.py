"""Masks and views by real clicks, and how the sidebar looks in both themes at two scales: pictures in out/gui/."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long
TALL = (1600, 1600)  # so that all panels fit


@pytest.mark.parametrize(("theme", "scale"), [("dark", 1.0), ("light", 1.5)])
def test_the_mask_is_shown_and_the_viewport_turned_to_the_found_view(tell, backend, theme, scale):
    report = tell(
        "looks",
        keep_as=f"looks_{theme}",
        backend=backend,
        screen=TALL,
        mesh="{files}/shiba.glb",
        video="{files}/shiba.mp4",
        theme=theme,
        scale=scale,
    )
    assert report["mask"] == "plain"
    assert report["overlap"] > 0.8
    assert report["turned_to"] == pytest.approx(report["azimuth"], abs=1.0)
