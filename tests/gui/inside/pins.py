"""A point of the kept animation is pinned by dragging it with the mouse, and Refine brings it there."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import stage
from bpy_extras import view3d_utils
from driver import Driver, Wait
from mathutils import Vector

SHIFT = (0, 60)  # pixels that the point is dragged by
FRAME = 4

PATIENCE = 300  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    bpy.context.scene.motion324.video = video
    stage.open_panels()
    yield from stage.open_sidebar(driver)
    runner, ball = stage.module("job.runner").runner, bpy.data.objects["Ball"]
    Path(video).write_text(json.dumps({"do": "wobble", "frames": 7, "pause": 0.7}))
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: runner.state.frames_ready > 2, PATIENCE, "frames come")
    yield 1.5
    yield from driver.shot("status_bar")
    yield from driver.wait_until(lambda: bool(runner.animations) or runner.state.problem, PATIENCE, "there is a result")
    yield 1.5
    yield from driver.shot("reported")
    yield from driver.click("motion324.keep_shape_keys")
    yield from driver.wait_until(lambda: not runner.results, PATIENCE, "it is kept")
    bpy.context.scene.frame_set(FRAME)
    yield from driver.redraw()
    yield from _drag(driver, report, ball)
    yield from driver.shot("pinned")
    preferences = bpy.context.preferences.view
    if "de_DE" in bpy.app.translations.locales:
        preferences.language, preferences.use_translate_interface = "de_DE", True
        yield from driver.shot("german")
        report["german"] = bpy.app.translations.pgettext_iface("Refine")
        preferences.language = "en_US"
        yield from driver.redraw()
    yield from driver.click("motion324.refine")
    yield from driver.wait_until(lambda: bool(runner.animations) or runner.state.problem, PATIENCE, "it is refined")
    assert runner.state.problem is None, runner.state.problem
    yield 1.0
    pin = ball.motion324_pins[0]
    refined = runner.animations[0].positions
    report["reached"] = float(np.abs(refined[FRAME - 1, pin.vertex] - np.array(pin.place)).max())
    yield from driver.click("motion324.keep_shape_keys")
    yield from driver.wait_until(lambda: not runner.results, PATIENCE, "it is kept")
    bpy.context.scene.frame_set(FRAME)
    yield from driver.redraw()
    yield from driver.shot("refined")
    return report


def _drag(driver: Driver, report: dict, ball: bpy.types.Object) -> Wait:
    """From a vertex that the viewport shows, SHIFT pixels on."""
    region = next(each for each in driver.area.regions if each.type == "WINDOW")
    view = driver.area.spaces.active.region_3d
    picking = stage.module("scene.correcting.picking")
    positions = picking.shown_positions(ball)
    eye = ball.matrix_world.inverted() @ view.view_matrix.inverted().translation
    vertex = int(np.argmin(np.linalg.norm(positions - np.array(eye), axis=1)))
    start = view3d_utils.location_3d_to_region_2d(region, view, ball.matrix_world @ Vector(positions[vertex]))
    x, y = (round(value) for value in (region.x + start.x, region.y + start.y))
    yield from driver.click("motion324.pin_point")
    yield from driver.drag((x, y), SHIFT)
    report["pins"] = [(pin.kind, pin.frame) for pin in ball.motion324_pins]
    if not ball.motion324_pins:
        return
    pin = ball.motion324_pins[0]
    report["vertex"], report["picked"] = vertex, pin.vertex
    place = ball.matrix_world @ Vector(pin.place)
    end = view3d_utils.location_3d_to_region_2d(region, view, place)
    picked = view3d_utils.location_3d_to_region_2d(region, view, ball.matrix_world @ Vector(positions[pin.vertex]))
    report["dragged"] = [end.x - start.x, end.y - start.y]
    report["off"] = (picked - start).length
