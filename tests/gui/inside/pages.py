"""The manual's pages: by F1 over buttons and settings, and by the link in the panel's header."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

import bpy
import stage
from driver import Driver, Wait

LINK = (57, 13)  # pixels from the sidebar's upper right corner, at scale 1
OVER = {  # what the mouse is over: where in its row that is
    "motion324.animate": 0.62,
    "video_shown": 0.62,
    "motion324.play": 0.93,
}


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    """-> the parts of pages that a browser was asked to show, and of which of them there is none."""
    asked = driver.folder / "asked.txt"
    browser = driver.folder / "browser"  # in place of one that would open a window
    browser.write_text(f'#!/bin/sh\necho "$1" >>{asked}\n')
    browser.chmod(0o755)
    os.environ["BROWSER"] = f"{browser} %s"
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    yield from stage.open_sidebar(driver)
    shown: list[str] = []
    for name, column in OVER.items():
        yield from driver.find(name, column)
        yield from driver.press("F1")
        yield from driver.wait_until(lambda: len(_lines(asked)) > len(shown), 20, f"a page about {name} is shown")
        shown.append(_lines(asked)[-1])
    left, below = (pixels * driver.scale for pixels in LINK)
    right, top = driver.sidebar.x + driver.sidebar.width, driver.sidebar.y + driver.sidebar.height
    yield from driver.click_at(right - left, top - below)
    yield from driver.wait_until(lambda: len(_lines(asked)) > len(shown), 20, "the first page is shown")
    shown.append(_lines(asked)[-1])
    return {"shown": [Path(urlparse(each).path).name + _part(each) for each in shown], "gone": [*filter(_gone, shown)]}


def _lines(asked: Path) -> list[str]:
    return asked.read_text().split() if asked.exists() else []


def _part(address: str) -> str:
    part = urlparse(address).fragment
    return f"#{part}" if part else ""


def _gone(address: str) -> bool:
    """Whether there is no such page, or no such part of it."""
    page, part = Path(unquote(urlparse(address).path)), urlparse(address).fragment
    return not page.is_file() or (part != "" and f'id="{part}"' not in page.read_text("utf-8"))
