"""A monkey and the video of a dog: told before the job, after it, and in the artist's language."""

from __future__ import annotations

import bpy
import stage
from driver import Driver, Wait

FRAMES = 8
PATIENCE = 1500  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {}
    stage.dress("dark", 1.0)
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    yield from stage.open_sidebar(driver)
    yield from _bring_monkey(driver)
    stage.choose_backend(backend)
    settings = bpy.context.scene.motion324
    settings.video, settings.frame_count = video, FRAMES
    yield from stage.open_only(driver, "camera")
    yield from driver.click("motion324.find_view")
    looks = stage.module("examining.looks")
    yield from driver.wait_until(lambda: looks.view_look.look.found is not None, PATIENCE, "the view is found")
    report["overlap"] = looks.view_look.look.found.silhouette_overlap
    yield from driver.move_to_viewport()
    yield from driver.redraw()
    report["before"] = _status(driver)
    yield from driver.shot("before")
    yield from stage.open_only(driver, "")
    yield from driver.click("motion324.animate")
    runner = stage.module("job.runner").runner
    yield from driver.wait_until(lambda: runner.state.match is not None, PATIENCE, "the job knows the match")
    report["meanwhile"] = [runner.state.match, runner.state.frames_ready]
    yield from driver.move_to_viewport()
    yield from driver.shot("meanwhile")
    yield from driver.wait_until(lambda: bool(runner.results) or bool(runner.failures), PATIENCE, "the job ends")
    yield from driver.move_to_viewport()
    report["after"] = list(runner.results[0].warnings)
    yield from driver.shot("after")
    yield from _speak_german(driver, report)
    return report


def _bring_monkey(driver: Driver) -> Wait:
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    with driver.context():
        bpy.ops.mesh.primitive_monkey_add()
        bpy.ops.ed.undo_push(message="the monkey")
    yield from driver.redraw()


def _status(driver: Driver) -> list[str]:
    """What the line below the button says, and its icon, as the panel asks for it."""
    looks, readiness = stage.module("examining.looks"), stage.module("ui.readiness")
    with driver.context():
        found = looks.view_found_for(bpy.context.object, bpy.context)
        status = readiness.status_of(bpy.context, 0.0, found.overlap if found else None)
    return [status.text, status.icon]


def _speak_german(driver: Driver, report: dict) -> Wait:
    """The same warnings, and the error of a video that is not there, by a Blender that has languages."""
    if not bpy.app.build_options.international:
        return
    bpy.context.preferences.view.language = "de_DE"
    yield from driver.redraw()
    in_own_language = stage.module("ui.own_language").in_own_language
    runner = stage.module("job.runner").runner
    report["in_german"] = [in_own_language(warning) for warning in runner.results[0].warnings]
    yield from driver.shot("in_german")
    bpy.context.preferences.view.language = "en_US"
