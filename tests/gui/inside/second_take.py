"""The viewport turned to the found view; then a take kept as shape keys, another over it, and a cache over that."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import stage
from driver import Driver, Wait

PATIENCE = 300  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {"keys": [], "modifiers": [], "errors": []}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    bpy.context.scene.motion324.video = video
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "shapes.blend"))
    stage.open_panels()
    yield from stage.open_sidebar(driver)
    yield from _align(driver, report)
    for frames, button in ((9, "keep_shape_keys"), (6, "keep_shape_keys"), (5, "keep_point_cache")):
        yield from _take(driver, report, video, frames, button)
    yield from driver.move_to_viewport()
    yield from driver.shot("kept")
    return report


def _align(driver: Driver, report: dict) -> Wait:
    """The backend of the tests sees every mesh from 30 degrees to the right."""
    looks = stage.module("examining.looks")
    region = driver.area.spaces.active.region_3d
    region.view_perspective = "ORTHO"
    yield from driver.click("motion324.find_view")
    yield from driver.wait_until(lambda: looks.view_look.look.found is not None, PATIENCE, "the view is found")
    yield 0.5
    yield from driver.click("motion324.align_view(camera=False")
    yield 1.0
    report["perspective"] = region.view_perspective
    report["around"] = list(region.view_location)
    with driver.context():
        report["turned_to"], _ = stage.module("scene.showing.view_angles").from_viewport(bpy.context)
    yield from driver.move_to_viewport()
    yield from driver.shot("aligned")


def _take(driver: Driver, report: dict, video: str, frames: int, button: str) -> Wait:
    """Another take, kept by its button; reports what is there then, and how far it is from the take, also between."""
    runner, ball = stage.module("job.runner").runner, bpy.data.objects["Ball"]
    Path(video).write_text(json.dumps({"do": "wobble", "frames": frames}))
    bpy.context.scene.frame_set(1)
    yield from driver.redraw()
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: bool(runner.animations) or runner.state.problem, PATIENCE, "there is a result")
    assert runner.state.problem is None, runner.state.problem
    yield 1.0
    positions = np.array(runner.animations[0].positions)
    yield from driver.click(f"motion324.{button}")
    yield from driver.wait_until(lambda: not runner.results, PATIENCE, "it is kept")
    yield 1.0
    errors = []
    for index in range(frames - 1):
        for part, expected in ((0.0, positions[index]), (0.5, positions[index : index + 2].mean(axis=0))):
            bpy.context.scene.frame_set(1 + index, subframe=part)
            errors.append(float(np.abs(_shown(ball) - expected).max()))
    report["errors"].append(max(errors))
    keys = ball.data.shape_keys
    report["keys"].append([key.name for key in keys.key_blocks] if keys else [])
    report["modifiers"].append([modifier.type for modifier in ball.modifiers])


def _shown(obj: bpy.types.Object) -> np.ndarray:
    """(N, 3) what the viewport shows."""
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    shown = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", shown.ravel())
    return shown
