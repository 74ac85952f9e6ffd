"""F1 and the panel's link lead to pages that came along."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlparse

import bpy


def page_of(addon, identifier: str) -> str:
    """As Blender's own `wm.doc_view_manual` looks it up."""
    prefix, pages = addon("ui.guide").manual_map()
    return prefix + next(page for pattern, page in pages if fnmatchcase(identifier.lower(), pattern))


def test_every_button_and_setting_has_a_page_that_came_along(addon):
    asked = [f"bpy.ops.motion324.{name}" for name in dir(bpy.ops.motion324)]
    asked += [
        f"bpy.types.{type(getattr(bpy.context.scene, name)).__name__}.x" for name in ("motion324", "motion324_rig")
    ]
    for identifier in asked:
        address = urlparse(page_of(addon, identifier))
        page = Path(unquote(address.path))
        assert page.is_file(), identifier
        if address.fragment:
            assert f'id="{address.fragment}"' in page.read_text("utf-8"), identifier
    assert page_of(addon, "bpy.ops.motion324.export_rig").endswith("engines.html#a-rig-for-an-engine")
    assert page_of(addon, "bpy.ops.motion324.overlay").endswith("#6-check-it")
    assert page_of(addon, "bpy.ops.motion324.take_pose").endswith("#7-correct-it")
    assert page_of(addon, "bpy.ops.motion324.choose_take").endswith("#5-tweak-it")
    assert page_of(addon, "bpy.types.Motion324Tweak.strength").endswith("#5-tweak-it")
    assert page_of(addon, "bpy.ops.motion324.try_again").endswith("#when-something-goes-wrong")
    assert addon("ui.guide").address().startswith("file://")
    assert addon("ui.guide").address("none.html") == ""


def test_pages_show_their_pictures_and_link_to_each_other(addon):
    folder = addon("ui.guide").FOLDER
    pages = list(folder.glob("*.html"))
    assert len(pages) >= 4
    for page in pages:
        text = page.read_text("utf-8")
        assert "](" not in text and "**" not in re.sub(r"<(code|pre)>.*?</\1>", "", text, flags=re.DOTALL), page
        for target in re.findall(r'(?:src|href)="([^"]+)"', text):
            if "://" not in target:
                assert (folder / target.partition("#")[0]).is_file() or target.startswith("#"), (page, target)
