"""A video dragged from another program onto the viewport: on an object, which is selected, and beside all objects."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import stage
from bpy_extras import view3d_utils
from driver import Driver, Wait
from mathutils import Vector

PATIENCE = 60  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    yield from stage.open_sidebar(driver)
    torus = bpy.data.objects["Torus"]
    ring = torus.matrix_world @ Vector((1.0, 0.0, 0.0))  # in its tube, on which it can be clicked
    for name, place in (("torus", ring), ("nothing", Vector((-1.5, 0.0, 4.0)))):
        dropped = driver.folder / f"dropped on {name}.mp4"
        shutil.copyfile(video, dropped)
        report[name] = yield from _drop(driver, dropped, place)
    return report


def _drop(driver: Driver, file: Path, place: Vector) -> Wait:
    """-> whether Blender took it, the scene's video, and the active object."""
    region = next(each for each in driver.area.regions if each.type == "WINDOW")
    at = view3d_utils.location_3d_to_region_2d(region, driver.area.spaces.active.region_3d, place)
    x, y = region.x + at.x, region.y + at.y
    driver.move(x, y)  # where a hand would have the mouse, too
    yield 0.5
    window = subprocess.run(
        ["xdotool", "search", "--onlyvisible", "--class", "Blender"], capture_output=True, text=True
    )
    source = [sys.executable, str(Path(__file__).with_name("dragging.py")), window.stdout.split()[0]]
    dragged = subprocess.Popen([*source, str(round(x)), str(round(driver.window.height - y)), str(file)])
    yield from driver.wait_until(lambda: dragged.poll() is not None, PATIENCE, "it is dropped")
    yield 1.0
    yield from driver.shot(f"{file.stem.replace(' ', '_')}_menu")  # Blender has another use for videos, too
    yield from driver.press("t")  # the underlined letter of Animate After This Video; the mouse is where it was
    yield 1.0
    yield from driver.shot(file.stem.replace(" ", "_"))
    return [dragged.returncode == 0, Path(bpy.context.scene.motion324.video).name, bpy.context.object.name]
