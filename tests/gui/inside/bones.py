"""The dog's motion kept as a rig that is made from it, and a second take keyed on that rig's bones, by clicks."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import stage
from driver import Driver, Wait

SHOWN = 3  # of the pictures: frames after the first
BONES = 12
PATIENCE = 1500  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str, mesh: str, trajectory: str) -> Wait:
    report: dict = {"errors": []}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    bpy.ops.wm.read_homefile(use_empty=True)
    yield 1.0
    bpy.ops.import_scene.gltf(filepath=mesh)
    dog = next(obj for obj in bpy.data.objects if obj.type == "MESH")
    stage.select((dog.name,))
    Path(video).write_text(json.dumps({"do": "wobble", "trajectory": trajectory, "fps": 15}))
    bpy.context.scene.motion324.video = video
    bpy.context.scene.motion324_rig.bones = report["asked"] = BONES
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "dog.blend"))
    stage.open_panels()
    yield from stage.open_sidebar(driver)
    with driver.context():
        region = next(region for region in driver.area.regions if region.type == "WINDOW")
        with bpy.context.temp_override(region=region):
            bpy.ops.view3d.view_axis(type="LEFT")
            bpy.ops.view3d.view_selected()
    yield from take(driver, report, dog, "keep_rig", 1)
    rig = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    report["bones"] = [bone.name for bone in rig.data.bones]
    yield from driver.shot("made")
    yield from take(driver, report, dog, "keep_armature", 21)
    yield from driver.shot("own")
    report["keyed"] = _first_key()
    with driver.context():
        bpy.ops.ed.undo()
    yield 1.0
    report["undone"] = _first_key()
    return report


def take(driver: Driver, report: dict, dog: bpy.types.Object, button: str, start: int) -> Wait:
    """Animates the object from that frame on and presses the button that keeps the result; adds to report["errors"] the
    mean distance of what is shown then to the result, in parts of the longest side.
    """
    runner = stage.module("job.runner").runner
    bpy.context.scene.frame_set(start)
    bpy.context.scene.motion324.start_frame = start
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: bool(runner.animations) or runner.state.problem, PATIENCE, "there is a result")
    assert runner.state.problem is None, runner.state.problem
    yield 1.0
    positions, timing = np.array(runner.animations[0].positions), runner.animations[0].timing
    yield from driver.shot(f"{button}_waits", only_sidebar=True)
    yield from driver.click(f"motion324.{button}")
    yield from driver.wait_until(lambda: not runner.results, PATIENCE, "it is kept")
    yield 1.0
    side = np.ptp(positions[0], axis=0).max()
    apart = []
    for index in range(0, len(positions), 3):
        whole, between = divmod(timing.frame(index), 1)
        bpy.context.scene.frame_set(int(whole), subframe=between)
        apart.append(float(np.linalg.norm(shown(dog) - positions[index], axis=1).mean() / side))
    report["errors"].append(float(np.mean(apart)))
    bpy.context.scene.frame_set(start + SHOWN)
    yield from driver.redraw()


def _first_key() -> float:
    """Of the rig's action."""
    rig = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    return float(rig.animation_data.action.frame_range[0])


def shown(obj: bpy.types.Object) -> np.ndarray:
    """(N, 3): where its vertices are now."""
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    shown = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", shown.ravel())
    return shown
