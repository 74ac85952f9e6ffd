"""The pictures of docs/film.md: the example with the real engine, from an empty scene to a file for a game engine."""

from __future__ import annotations

import math
import time
from pathlib import Path

import bpy
import numpy as np
import stage
from bpy_extras import view3d_utils
from driver import Driver, Wait
from mathutils import Euler, Vector

PATIENCE = 1500  # seconds: other programs may be at work, too
SHOWN = 30  # the scene's frame that pictures show: the dog has landed
LOOKS = (("dark", 1.0), ("light", 1.0), ("dark", 1.5), ("light", 1.5))
PULLED = (-30, 18)  # pixels by which the pinned point is dragged


def story(driver: Driver, zip_path: str, backend: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    stage.choose_backend(backend)
    yield from stage.open_sidebar(driver)
    yield from _first_result(driver, report)
    yield from _tweak(driver, report)
    yield from _trust(driver, report)
    yield from _correct(driver, report)
    yield from _hand_on(driver, report)
    return report


def _runner():
    return stage.module("job.runner").runner


def _dog() -> bpy.types.Object:
    return next(obj for obj in bpy.data.objects if obj.type == "MESH")


def _picture(driver: Driver, name: str) -> Wait:
    """Once panels have slid to their places; the mouse is over nothing that would light up."""
    yield from driver.move_to_viewport()
    yield 1.0
    yield from driver.shot(name)


def _is_there() -> bool:
    assert not _runner().failures, _runner().failures
    return bool(_runner().results)


def _kept(driver: Driver, button: str) -> Wait:
    yield from driver.click(button)
    yield from driver.wait_until(lambda: not _runner().results, PATIENCE, "the result is kept")
    yield 0.5


def _first_result(driver: Driver, report: dict) -> Wait:
    yield from _picture(driver, "empty")
    before, began = driver.clicks, time.monotonic()
    yield from driver.click("motion324.load_example")
    yield from driver.wait_until(lambda: bpy.context.scene.motion324.video != "", 60, "the example is there")
    report["seconds_to_ready"] = time.monotonic() - began
    first_frame = stage.module("ui.first_frame")
    yield from driver.wait_until(lambda: first_frame._shown is not None, 60, "the first frame is seen")
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "dog.blend"))
    yield from _picture(driver, "ready")
    began = time.monotonic()
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: _runner().state.frames_ready > 3 or _is_there(), PATIENCE, "frames come")
    report["seconds_to_frames"] = time.monotonic() - began
    bpy.context.scene.frame_set(SHOWN)
    yield from _picture(driver, "running")
    yield from driver.wait_until(_is_there, PATIENCE, "there is a result")
    report["seconds_to_result"] = time.monotonic() - began
    report["clicks_to_result"] = driver.clicks - before
    bpy.context.scene.frame_set(SHOWN)
    yield from _picture(driver, "result")
    yield from _kept(driver, "motion324.keep_shape_keys")
    yield from _picture(driver, "kept")


def _tweak(driver: Driver, report: dict) -> Wait:
    yield from stage.open_only(driver, "tweak")
    yield from driver.enter("strength_percent", "140")
    changed = _runner()
    yield from driver.wait_until(lambda: bool(changed.results), 60, "the kept take waits again")
    yield from driver.wait_until(lambda: abs(changed.animations[0].tweak.strength - 1.4) < 1e-6, 60, "it is changed")
    report["strength"] = changed.animations[0].tweak.strength
    yield from _picture(driver, "tweak")
    yield from _kept(driver, "motion324.keep_shape_keys")


def _trust(driver: Driver, report: dict) -> Wait:
    yield from stage.open_only(driver, "check")
    trust, note = stage.module("scene.playing.trust"), stage.module("scene.playing.kept_note")
    fit = trust.fit_of(note.read_source(_dog()))
    report["match"], report["worst"] = fit.mean, fit.worst
    frame = fit.worst[0][0]
    yield from driver.click(f"motion324.go_to_frame(frame={frame}", column=0.3)
    report["went_to"] = bpy.context.scene.frame_current
    yield from _picture(driver, "check")
    yield from driver.click("motion324.show_doubt")
    report["doubt_shown"] = trust.shows_doubt(_dog())
    view = driver.area.spaces.active.region_3d
    before = view.view_rotation.copy()
    view.view_rotation = Euler((math.radians(78), 0, math.radians(-30))).to_quaternion()  # with some of the far side
    yield from _picture(driver, "doubt")
    view.view_rotation = before
    yield from driver.click("motion324.show_doubt")
    yield from driver.click("motion324.overlay(beside=True", column=0.71)
    yield from _picture(driver, "side_by_side")
    yield from driver.click("motion324.overlay(beside=False", column=0.3)
    yield from _picture(driver, "overlay")
    for theme, scale in LOOKS:
        stage.dress(theme, scale)
        yield 1.0
        yield from _picture(driver, f"check_{theme}_{scale:g}")
    stage.dress(*LOOKS[0])
    yield 1.0


def _correct(driver: Driver, report: dict) -> Wait:
    """The tip of an ear, which is the highest, in the overlay's picture, at the frame that is shown."""
    yield from stage.open_only(driver, "corrections")
    dog, picking = _dog(), stage.module("scene.correcting.picking")
    region = next(each for each in driver.area.regions if each.type == "WINDOW")
    view = driver.area.spaces.active.region_3d
    positions = picking.shown_positions(dog)
    tip = int(np.argmax(positions @ np.array(dog.matrix_world)[2, :3]))
    start = view3d_utils.location_3d_to_region_2d(region, view, dog.matrix_world @ Vector(positions[tip]))
    yield from driver.click("motion324.pin_point")
    yield from driver.drag((region.x + start.x, region.y + start.y), PULLED, let_go=False)
    yield from driver.shot("pinning")
    yield from driver.let_go()
    report["pins"] = [pin.kind for pin in dog.motion324_pins]
    yield from _picture(driver, "pinned")
    began = time.monotonic()
    yield from driver.click("motion324.refine")
    yield from driver.wait_until(_is_there, PATIENCE, "it is refined")
    report["seconds_to_refine"] = time.monotonic() - began
    report["missed"] = _runner().animations[0].report["pins"]["largest_miss"]
    yield from _picture(driver, "refined")
    yield from _kept(driver, "motion324.keep_shape_keys")
    yield from stage.open_only(driver, "check")
    yield from driver.click("motion324.hide_overlay", column=0.3)
    with driver.context():
        main = next(each for each in driver.area.regions if each.type == "WINDOW")
        with bpy.context.temp_override(region=main):
            bpy.ops.view3d.view_selected()


def _hand_on(driver: Driver, report: dict) -> Wait:
    yield from stage.open_only(driver, "")
    yield from driver.click("motion324.keep_rig")
    yield from driver.wait_until(lambda: any(obj.type == "ARMATURE" for obj in bpy.data.objects), PATIENCE, "a rig")
    yield from driver.wait_until(lambda: not _runner().results, PATIENCE, "the rig is kept")
    bpy.context.scene.frame_set(SHOWN)
    yield from _picture(driver, "rig")
    yield from stage.open_only(driver, "export")
    yield from _picture(driver, "export")
    yield from driver.click("motion324.export_rig")
    yield from driver.wait_until(lambda: driver.shown("FILE_BROWSER") is not None, 10, "the file browser is open")
    browser = driver.area_of("FILE_BROWSER")
    browser.spaces.active.active_operator.engine = "unreal"
    yield 1.0
    yield from driver.shot("export_dialog")
    path = driver.folder / "dog_rig.fbx"
    yield from stage.confirm_file(driver, Path(path))
    yield from driver.wait_until(path.exists, PATIENCE, "the FBX is written")
    report["fbx_bytes"] = path.stat().st_size
    yield from _picture(driver, "exported")
