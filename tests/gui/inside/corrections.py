"""A group kept still, a pose edited in a copy and taken, one discarded, a pin removed, and all of it refined; then the
action is pushed to the NLA.
"""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import stage
from driver import Driver, Wait

FRAMES = 9
STILL, POSED = "South", 5  # a vertex group; the scene's frame
LIFT = 0.5

PATIENCE = 300  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    ball, runner = bpy.data.objects["Ball"], stage.module("job.runner").runner
    south = [vertex.index for vertex in ball.data.vertices if vertex.co.z < -0.9]
    ball.vertex_groups.new(name=STILL).add(south, 1.0, "REPLACE")
    bpy.context.scene.motion324.video = video
    Path(video).write_text(json.dumps({"do": "wobble", "frames": FRAMES}))
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "ball.blend"))
    yield from stage.open_sidebar(driver)
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: bool(runner.results), PATIENCE, "there is a result")
    yield 0.5
    yield from driver.click("motion324.keep_shape_keys")
    yield from driver.wait_until(lambda: not runner.results, PATIENCE, "it is kept")
    yield from stage.open_only(driver, "corrections")
    yield from _pin(driver, report, ball)
    yield from driver.shot("pins")
    yield from driver.click("motion324.remove_pin(index=1", column=0.93)
    report["left"] = [pin.kind for pin in ball.motion324_pins]
    yield from driver.click("motion324.refine")
    yield from driver.wait_until(lambda: bool(runner.results) or runner.failures, PATIENCE, "it is refined")
    assert not runner.failures, runner.failures
    positions = runner.animations[0].positions
    report["moved"] = float(np.ptp(positions[:, south], axis=0).max())
    yield 0.5
    yield from driver.click("motion324.keep_shape_keys")
    yield from driver.wait_until(lambda: not runner.results, PATIENCE, "it is kept")
    yield 0.5
    yield from driver.click("motion324.push_to_nla", column=0.93)
    data = ball.data.shape_keys.animation_data
    report["strips"] = [strip.name for track in data.nla_tracks for strip in track.strips]
    yield from driver.shot("pushed")
    return report


def _pin(driver: Driver, report: dict, ball: bpy.types.Object) -> Wait:
    yield from driver.click("motion324.pin_still")
    yield 0.5
    yield from driver.shot("still_dialog")
    yield from driver.press("Return")
    yield 0.5
    report["still"] = [(pin.kind, pin.group) for pin in ball.motion324_pins]
    bpy.context.scene.frame_set(POSED)
    yield from driver.redraw()
    for button in ("discard_pose", "take_pose"):
        yield from driver.click("motion324.edit_pose")
        yield 0.5
        copy = bpy.context.view_layer.objects.active
        assert copy != ball, "a copy is there to be edited"
        yield from driver.move_to_viewport()
        yield from driver.press("g", "z")
        yield from driver.type(str(LIFT))
        yield from driver.press("Return")
        report.setdefault("lifted", []).append(round(copy.location.z - ball.location.z, 3))
        yield from driver.shot("pose")
        if button == "discard_pose":
            yield from driver.click("motion324.discard_pose", column=0.93)
        else:
            yield from driver.click("motion324.take_pose")
        yield 0.5
        assert bpy.context.view_layer.objects.active == ball, "the copy is gone"
        report.setdefault("pins", []).append([pin.kind for pin in ball.motion324_pins])
