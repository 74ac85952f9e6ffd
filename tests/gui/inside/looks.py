"""All panels open, in a theme and at a scale: the mask previewed, the view found, the viewport turned to it."""

from __future__ import annotations

import bpy
import stage
from driver import Driver, Wait

PATIENCE = 1500  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, mesh: str, video: str, scale: float, theme: str) -> Wait:
    report: dict = {}
    stage.dress(theme, scale)
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.open_panels()
    yield from stage.open_sidebar(driver)
    yield from stage.bring_dog(driver, mesh)
    yield from driver.shot("first_run")
    stage.choose_backend(backend)
    bpy.context.scene.motion324.video = video
    yield from driver.redraw()
    yield from driver.click("motion324.preview_mask")
    looks = stage.module("examining.looks")
    yield from driver.wait_until(lambda: not looks.mask_look.look.running, PATIENCE, "the mask is there")
    report["mask"] = looks.mask_look.look.found.mask_method
    yield from driver.click("motion324.find_view")
    yield from driver.wait_until(lambda: not looks.view_look.look.running, PATIENCE, "the view is found")
    report["overlap"] = looks.view_look.look.found.silhouette_overlap
    report["azimuth"] = looks.view_look.look.found.view.azimuth
    yield from driver.move_to_viewport()
    yield from driver.shot("all_open")
    region = driver.area.spaces.active.region_3d
    yield from driver.click("motion324.align_view(camera=False")
    yield 1.0
    assert bpy.context.scene.camera is None and region.view_perspective == "PERSP"
    with driver.context():
        report["turned_to"], _ = stage.module("scene.showing.view_angles").from_viewport(bpy.context)
    yield from driver.move_to_viewport()
    yield from driver.shot("aligned")
    yield from driver.click("motion324.align_view(camera=True")
    yield 1.0
    assert bpy.context.scene.camera is not None and region.view_perspective == "CAMERA"
    yield from driver.move_to_viewport()
    yield from driver.shot("camera")
    return report
