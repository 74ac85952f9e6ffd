"""Presets by the menu in the panel's header: saved, taken back and removed, by mouse and keyboard."""

from __future__ import annotations

from pathlib import Path

import bpy
import stage
from driver import Driver, Wait

PRESETS = (83, 13)  # pixels from the sidebar's upper right corner, at scale 1: the menu in the panel's header
OK = (44, 38)  # pixels from there to the left and down: the button of the dialog that saves a preset


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    yield from stage.open_sidebar(driver)
    yield from _presets(driver, report)
    return report


def _settings():
    return bpy.context.scene.motion324


def _place_of_menu(driver: Driver) -> tuple[float, float]:
    left, below = (pixels * driver.scale for pixels in PRESETS)
    return driver.sidebar.x + driver.sidebar.width - left, driver.sidebar.y + driver.sidebar.height - below


def _menu(driver: Driver, key: str) -> Wait:
    """Opens the menu of presets, and presses the underlined letter of an entry."""
    yield from driver.click_at(*_place_of_menu(driver))
    yield from driver.shot(f"presets_{key}")
    yield from driver.press(key)
    yield 0.5


def _presets(driver: Driver, report: dict) -> Wait:
    folder = Path(bpy.utils.user_resource("SCRIPTS", path="presets")) / "motion324"
    _settings().timing = "KEEP_FRAMES"
    yield from _menu(driver, "s")
    yield from driver.shot("preset_dialog")
    x, y = _place_of_menu(driver)  # where the dialog has its field
    yield from driver.click_at(x, y)
    yield from driver.type("Walk")
    yield from driver.press("Return")
    yield from driver.shot("preset_named")
    yield from driver.click_at(x - OK[0] * driver.scale, y - OK[1] * driver.scale)
    yield 0.5
    report["saved"] = [path.name for path in folder.glob("*.py")]
    _settings().timing = "KEEP_DURATION"
    yield from _menu(driver, "w")
    report["timing"] = _settings().timing
    yield from _menu(driver, "r")
    report["left"] = [path.name for path in folder.glob("*.py")]
