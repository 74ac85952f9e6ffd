"""The buttons that no other story presses: takes and their worst frames, views by hand, looks that are stopped."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import stage
from driver import Driver, Wait

PATIENCE = 300  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "shapes.blend"))
    yield from stage.open_sidebar(driver)
    yield from _pick(driver, report, video)
    yield from _views(driver, report, video)
    yield from _share(driver, report)
    yield from _takes(driver, report, video)
    yield from _fail(driver, report, video)
    return report


def _runner():
    return stage.module("job.runner").runner


def _settings():
    return bpy.context.scene.motion324


def _ball() -> bpy.types.Object:
    return bpy.data.objects["Ball"]


def _wish(video: str, **wish: object) -> None:
    aside = Path(video).with_suffix(".new")
    aside.write_text(json.dumps(wish))
    aside.replace(video)


def _pick(driver: Driver, report: dict, video: str) -> Wait:
    yield from driver.click("motion324.pick_video", column=0.89)
    yield from stage.confirm_file(driver, Path(video))
    report["picked"] = _settings().video == video and _settings().video_shown == Path(video).name
    yield from driver.redraw()


def _views(driver: Driver, report: dict, video: str) -> Wait:
    """A search that is stopped, a mask in an Image Editor, and angles from the viewport and a camera."""
    looks = stage.module("examining.looks")
    yield from stage.open_only(driver, "camera")
    _wish(video, do="wait", frames=4)
    yield from driver.click("motion324.find_view")
    yield from driver.wait_until(lambda: looks.view_look.look.done > 0, PATIENCE, "the search is under way")
    yield from driver.click("motion324.cancel_look(look='VIEW'", column=0.89)
    report["stopped"] = not looks.view_look.look.running
    _wish(video, do="wobble", frames=4)
    _settings().view = "angles"
    yield from driver.redraw()
    region = driver.area.spaces.active.region_3d
    region.view_perspective = "ORTHO"
    yield from driver.click("motion324.take_view(source='VIEWPORT'")
    report["from_viewport"] = round(_settings().azimuth, 1), round(_settings().elevation, 1)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    bpy.context.scene.collection.objects.link(camera)
    camera.location, camera.rotation_euler = _ball().location, (0.0, 0.0, 0.0)
    camera.location.z += 9.0
    bpy.context.scene.camera = camera
    yield from driver.redraw()
    yield from driver.click("motion324.take_view(source='CAMERA'", column=0.89)
    report["from_camera"] = round(_settings().elevation)
    _settings().view = "auto"
    bpy.data.objects.remove(camera)
    yield from stage.open_only(driver, "cut_out")
    yield from driver.click("motion324.preview_mask")
    yield from driver.wait_until(lambda: looks.mask_look.look.found is not None, PATIENCE, "the mask is there")
    editor = driver.area_of("OUTLINER")
    editor.type = "IMAGE_EDITOR"  # else it opens a window, which nobody places here
    editor.spaces.active.image = None
    yield from driver.redraw()
    yield from driver.click("motion324.show_mask")
    report["mask"] = editor.spaces.active.image is not None and editor.spaces.active.image.name == looks.NAME
    editor.type = "OUTLINER"
    yield from stage.open_only(driver, "")


def _share(driver: Driver, report: dict) -> Wait:
    """A mesh that two objects have; the copy is made by the button."""
    twin = _ball().copy()
    bpy.context.scene.collection.objects.link(twin)
    twin.location.z += 3.0
    stage.select(("Ball",))
    yield from _animate(driver)
    yield from driver.click("motion324.make_single_user")
    report["own_mesh"] = _ball().data != twin.data
    yield from _keep(driver)


def _takes(driver: Driver, report: dict, video: str) -> Wait:
    takes = stage.module("scene.playing.takes")
    _wish(video, do="wobble", frames=9)
    yield from _animate(driver)
    yield from stage.open_only(driver, "tweak")
    yield from driver.click("add_take")
    yield from _keep(driver)
    first, second = (take.identifier for take in takes.takes_of(_ball()))
    yield from driver.redraw()
    yield from driver.click(f'motion324.choose_take(take="{first}"', column=0.3)
    yield from driver.wait_until(lambda: bool(_runner().results), PATIENCE, "the first take waits")
    report["frames"] = len(_runner().animations[0].positions)
    yield from driver.shot("takes")
    yield from driver.click(f'motion324.remove_take(take="{second}"', column=0.89)
    report["takes"] = len(takes.takes_of(_ball()))
    yield from driver.click("motion324.discard")
    yield from stage.open_only(driver, "check")
    fit = stage.module("scene.playing.trust").fit_of(stage.module("scene.playing.kept_note").read_source(_ball()))
    report["worst"] = fit.worst[0][0]
    yield from driver.click(f"motion324.go_to_frame(frame={fit.worst[0][0]}", column=0.3)
    report["went_to"] = bpy.context.scene.frame_current
    yield from driver.shot("check")
    yield from stage.open_only(driver, "")
    yield from driver.click("motion324.remove_animation", column=0.71)
    report["removed"] = _ball().data.shape_keys is None


def _fail(driver: Driver, report: dict, video: str) -> Wait:
    _wish(video, do="die")
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: bool(_runner().failures), PATIENCE, "the engine is lost")
    yield from driver.click("motion324.open_log")  # which no program is there for
    report["log"] = bool(_runner().failures[0].problem.log_path)
    yield from driver.shot("lost")
    _wish(video, do="wobble", frames=6)
    yield from driver.click("motion324.try_again", column=0.3)
    yield from driver.wait_until(lambda: bool(_runner().results), PATIENCE, "it went well at the second try")
    report["tried_again"] = not _runner().failures


def _animate(driver: Driver) -> Wait:
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: bool(_runner().results) or _runner().failures, PATIENCE, "there is a result")
    assert not _runner().failures, _runner().failures
    yield 0.5


def _keep(driver: Driver) -> Wait:
    yield from driver.click("motion324.keep_shape_keys")
    yield from driver.wait_until(lambda: not _runner().results, PATIENCE, "it is kept")
    yield 0.5
