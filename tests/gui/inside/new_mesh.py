"""A mesh from the video alone: made by a click, taken away by Ctrl-Z, stopped, made again, and animated."""

from __future__ import annotations

import bpy
import stage
from driver import Driver, Wait

PATIENCE = 300  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    stage.choose_backend(backend)
    yield from stage.open_sidebar(driver)
    with _viewport(driver):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.ed.undo_push(message="an empty scene")
    settings = bpy.context.scene.motion324
    settings.video, settings.frame_count, settings.quality = video, 8, "draft"
    driver.area.spaces.active.shading.color_type = "TEXTURE"
    yield from driver.redraw()
    yield 1.0
    yield from driver.shot("before")
    look = stage.module("examining.new_mesh").mesh_look
    chosen = bpy.context.scene.motion324_new_mesh
    chosen.mesh_provider = "hunyuan3d-server"
    yield from driver.find("motion324.new_mesh")
    yield from driver.click_at(*driver.beside("motion324.new_mesh", column=0.89))
    yield from driver.shot("menu")
    yield from driver.press("Escape")
    chosen.mesh_provider = "inflate"

    yield from driver.click("motion324.new_mesh")
    yield from driver.wait_until(lambda: look.look.stage == "foreground", PATIENCE, "the video is looked at")
    yield from driver.shot("making")
    yield from driver.wait_until(lambda: not look.look.running, PATIENCE, "the mesh is there")
    assert look.look.problem is None, look.look.problem
    yield 1.0
    report["objects"] = [obj.name for obj in bpy.data.objects]
    report["vertices"] = len(bpy.context.view_layer.objects.active.data.vertices)
    yield from _look_at(driver)
    yield from driver.shot("made")
    yield from driver.press("ctrl+z")
    yield 1.0
    report["after_undo"] = [obj.name for obj in bpy.data.objects]
    yield from driver.press("ctrl+shift+z")
    yield 1.0
    report["after_redo"] = [obj.name for obj in bpy.data.objects]

    settings = bpy.context.scene.motion324  # undo has made the scene anew
    settings.mask = "rembg"  # which takes a little longer
    made = bpy.context.view_layer.objects.active.name
    stage.select(())
    yield from driver.redraw()
    yield from driver.click("motion324.new_mesh")
    yield from driver.wait_until(lambda: look.look.running and look.look.stage != "", 60, "it is begun again")
    yield from driver.click_at(*driver.beside("motion324.new_mesh", column=0.89))
    report["stopped"] = not look.look.running and len(bpy.data.objects) == 1
    settings.mask = "auto"
    stage.select((made,))
    yield from driver.redraw()

    runner = stage.module("job.runner").runner
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: runner.animations or runner.state.problem, PATIENCE, "it is animated")
    assert runner.state.problem is None, runner.state.problem
    bpy.context.scene.frame_set(8)
    yield from driver.move_to_viewport()
    yield from driver.shot("animated")
    report["frames"] = len(runner.animations[0].positions)
    report["overlap"] = runner.animations[0].report["silhouette_overlap"]
    return report


def _look_at(driver: Driver) -> Wait:
    with _viewport(driver):
        bpy.ops.view3d.view_selected()
    yield from driver.move_to_viewport()
    yield 1.0


def _viewport(driver: Driver):
    """The context of the 3D view itself."""
    main = next(region for region in driver.area.regions if region.type == "WINDOW")
    return bpy.context.temp_override(window=driver.window, area=driver.area, region=main)
