"""What makes the add-on one of Blender's own, by mouse and keyboard: presets, and a video dropped on an object."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import stage
from bpy_extras import view3d_utils
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
    yield from _drop(driver, report, video)
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


def _drop(driver: Driver, report: dict, video: str) -> Wait:
    """From a File Browser beside it on the torus, while the ball is the active object."""
    dropped = driver.folder / "dropped/torus.mp4"
    dropped.parent.mkdir()
    shutil.copyfile(video, dropped)
    browser = driver.area_of("PROPERTIES")
    browser.type = "FILE_BROWSER"
    yield 1.0
    browser.spaces.active.params.directory = f"{dropped.parent}/".encode()
    browser.spaces.active.params.display_type = "LIST_VERTICAL"
    browser.spaces.active.show_region_toolbar = False
    yield 1.0
    files = next(each for each in browser.regions if each.type == "WINDOW")
    start = (
        files.x + 14 * driver.scale,
        files.y + files.height - 34 * driver.scale,
    )  # the icon below the names of the columns
    view = next(each for each in driver.area.regions if each.type == "WINDOW")
    ring = bpy.data.objects["Torus"].matrix_world.translation + bpy.data.objects["Torus"].dimensions * 0.4
    ring.y = ring.z = 0.0
    place = view3d_utils.location_3d_to_region_2d(view, driver.area.spaces.active.region_3d, ring)
    way = view.x + place.x - start[0], view.y + place.y - start[1]
    yield from driver.drag(start, way, let_go=False)
    yield from driver.shot("dropping")
    yield from driver.let_go()
    yield from driver.shot("dropped")
    report["video"] = Path(_settings().video).name
    report["active"] = bpy.context.view_layer.objects.active.name
