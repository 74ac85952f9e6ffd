"""The engine installed from a folder, checked, reported and removed, by the buttons of Other Ways and preferences.

The engine is the tests' stand-in, whose wheels come by one click as the real ones do.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import stage
from driver import Driver, Wait

OTHER_WAYS = ("motion324.install_from_folder", "motion324.open_preferences")  # the buttons there, from above

PATIENCE = 300  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, extension: str, broken: str, wheels: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.module("installation.runner").runner._extension = Path(extension)
    yield from stage.open_sidebar(driver)
    yield 2.0  # the machine is looked at
    yield from _from_folder(driver, broken)
    yield from driver.wait_until(lambda: _runner().state.problem is not None, PATIENCE, "the installation fails")
    report["problem"] = _runner().state.problem.sentence
    yield from driver.shot("problem")
    yield from driver.click("motion324.open_installation_log")  # which no program is there for
    report["log"] = _runner().place.log.exists()
    yield from driver.click("motion324.dismiss_installation", column=0.71)
    report["dismissed"] = _runner().state.problem is None
    yield from _preferences(driver, report)
    yield from _from_folder(driver, wheels)
    yield from driver.wait_until(lambda: _runner().state.ready, PATIENCE, "the engine is installed")
    report["installed"] = stage.module("settings.preferences").is_backend_ready()
    yield from _check_and_remove(driver, report)
    return report


def _runner():
    return stage.module("installation.runner").runner


def _from_folder(driver: Driver, folder: str) -> Wait:
    yield from _press(driver, "motion324.install_from_folder")
    yield from stage.confirm_folder(driver, Path(folder))


def _press(driver: Driver, button: str) -> Wait:
    """In *Other Ways*, which opens below its own button; that one is below the large one."""
    yield from driver.redraw()
    yield from driver.find("motion324.install_backend")
    x, y = driver.place("motion324.install_backend")
    y -= 32 * driver.scale
    yield from driver.click_at(x, y)
    yield from driver.shot("other_ways")
    yield from driver.click_at(x, y - (40 + 26 * OTHER_WAYS.index(button)) * driver.scale)


def _preferences(driver: Driver, report: dict) -> Wait:
    """They open in a window of their own, at the add-on."""
    manager = bpy.context.window_manager
    yield from _press(driver, "motion324.open_preferences")
    yield from driver.wait_until(lambda: len(manager.windows) == 2, 10, "the preferences are open")
    yield 1.0
    (own,) = (window for window in manager.windows if window != driver.window)
    report["preferences"] = own.screen.areas[0].type, bpy.context.preferences.active_section, manager.addon_search
    yield from driver.shot("preferences_window")
    with bpy.context.temp_override(window=own):
        bpy.ops.wm.window_close()
    yield 0.5


def _check_and_remove(driver: Driver, report: dict) -> Wait:
    area = driver.area
    area.type = "PREFERENCES"
    yield 1.0
    with driver.within("PREFERENCES"):
        yield from driver.shot("preferences")
        yield from driver.click("motion324.check_installation", column=0.3)
        yield from driver.wait_until(lambda: _runner().state.report is not None, PATIENCE, "it is checked")
        report["works"] = _runner().state.report.works
        yield from driver.redraw()
        yield from driver.shot("checked")
        yield from driver.click("motion324.copy_report")
        report["copied"] = bpy.context.window_manager.clipboard
        yield from driver.click("motion324.remove_backend", column=0.86)
        yield 0.5
        yield from driver.shot("remove")
        yield from driver.press("Return")
        words = stage.module("installation.state")
        missing = words.Condition.MISSING
        yield from driver.wait_until(lambda: _runner().look().condition is missing, PATIENCE, "the engine is removed")
    driver.area_of("PREFERENCES").type = "VIEW_3D"
    yield 1.0
    yield from driver.shot("removed")
