"""A stored result of a clip, kept by clicks as a rig that is made from it, and on a rig that the truth made before."""

from __future__ import annotations

import json
import math
from pathlib import Path

import bpy
import stage
from bones import take
from driver import Driver, Wait
from mathutils import Euler

ARTIST = 24  # bones of the rig that stands for an artist's
SIDES = {"side": (90, 90), "front": (78, 35)}  # degrees about X and Z
MIDDLE = 0.4  # of the clip: the frame of the pictures
NEAR = 1.7  # of the longest side: how far away they are taken


def story(driver: Driver, zip_path: str, backend: str, video: str, mesh: str, result: str, truth: str) -> Wait:
    report: dict = {"errors": [], "bones": []}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    bpy.ops.wm.read_homefile(use_empty=True)
    yield 1.0
    stage.open_panels()
    yield from stage.open_sidebar(driver)
    scene = bpy.context.scene
    scene.motion324.video = video
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "clip.blend"))
    body = yield from _brought(driver, mesh)
    yield from _kept(driver, report, body, "keep_rig", video, result)
    yield from _pictures(driver, "made", body)
    body = yield from _brought(driver, mesh)
    scene.motion324_rig.bones = ARTIST
    yield from _kept(driver, report, body, "keep_rig", video, truth)
    yield from _kept(driver, report, body, "keep_armature", video, result)
    yield from _pictures(driver, "own", body)
    return report


def _brought(driver: Driver, mesh: str) -> Wait:
    yield from stage.bring_dog(driver, mesh)
    return next(obj for obj in bpy.data.objects if obj.type == "MESH")


def _kept(driver: Driver, report: dict, body: bpy.types.Object, button: str, video: str, trajectory: str) -> Wait:
    Path(video).write_text(json.dumps({"do": "wobble", "trajectory": trajectory, "fps": 12}))
    stage.select((body.name,))
    yield from take(driver, report, body, button, 1)
    rig = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    report["bones"].append([bone.name for bone in rig.data.bones])


def _pictures(driver: Driver, name: str, body: bpy.types.Object) -> Wait:
    """From two sides, without the outline of what is selected."""
    rig = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    first, last = rig.animation_data.action.frame_range
    bpy.context.scene.frame_set(round(first + MIDDLE * (last - first)))
    for obj in bpy.context.view_layer.objects:
        obj.select_set(False)
    space = driver.area.spaces.active
    space.shading.color_type = "VERTEX" if body.data.color_attributes else "TEXTURE"
    view = space.region_3d
    view.view_perspective, view.view_distance = "ORTHO", NEAR * max(body.dimensions)
    for side, (over, about) in SIDES.items():
        view.view_rotation = Euler((math.radians(over), 0, math.radians(about))).to_quaternion()
        yield from driver.shot(f"{name}_{side}")
