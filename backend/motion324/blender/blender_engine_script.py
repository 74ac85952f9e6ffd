"""Runs inside Blender, or a Python that has bpy: a file with a rigged, moving mesh -> a file for a game engine.

Not part of the backend's own process: motion324.pipeline.engine_file starts it with the arguments
SOURCE TARGET ASKED.json TOLD.json. It works with Blender 4.2 to 5.x; motion324.blender.blender_launcher runs it.
"""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from motion324.core.errors import Motion324Error
from motion324.core.inside_blender.fcurves import all_curves
from motion324.core.inside_blender.gltf import import_at_rate
from motion324.core.inside_blender.rig.engine_export import EngineExport, export_for_engine
from motion324.core.options.engine_settings import EngineSettings, MotionEdits

FINE = 1000  # frames a second at which the times of a glTF's keys are looked at


def main(source: str, target: str, asked: str, told: str) -> None:
    import bpy

    wishes = json.loads(Path(asked).read_text(encoding="utf-8"))
    open_file(bpy, source)
    objects = [each for each in bpy.context.view_layer.objects if each.type == "MESH" and each.visible_get()]
    rigged = [each for each in objects if any(m.type == "ARMATURE" and m.object for m in each.modifiers)]
    for each in objects:
        if each not in rigged:
            print(f"motion324-warning: '{each.name}' has no armature and is left out")
        for modifier in each.modifiers:
            if modifier.type != "ARMATURE" and modifier.show_viewport:
                modifier.show_viewport = False
                print(f"motion324-warning: '{each.name}' is written without its modifier '{modifier.name}'")
    if not rigged:
        raise RuntimeError("no mesh in it has an armature")
    scene = bpy.context.scene
    first, last = frames_of(bpy, source)
    units = scene.unit_settings
    wanted = EngineExport(
        first,
        last,
        scene.render.fps / scene.render.fps_base,
        1.0 if units.system == "NONE" else units.scale_length,
        EngineSettings.from_dict(wishes["settings"]),
        MotionEdits.from_dict(wishes["edits"]),
    )
    try:
        done = export_for_engine(bpy, rigged, wanted, lambda size: Path(target))
    except Motion324Error as error:
        raise RuntimeError(f"{error.sentence} {error.hint}".strip()) from error
    Path(told).write_text(json.dumps(dataclasses.asdict(done)), encoding="utf-8")


def open_file(bpy: Any, source: str) -> None:
    """A glTF at the rate of its keys, so that each of them is a frame."""
    if source.lower().endswith(".blend"):
        bpy.ops.wm.open_mainfile(filepath=source, load_ui=False, use_scripts=False)
        return
    bpy.ops.wm.read_homefile(use_empty=True)
    if source.lower().endswith(".fbx"):
        bpy.ops.import_scene.fbx(filepath=source, anim_offset=0.0)
        return
    import_at_rate(bpy, source, FINE)
    steps = [later - earlier for times in key_times(bpy) for earlier, later in pairwise(times)]
    bpy.ops.wm.read_homefile(use_empty=True)
    import_at_rate(bpy, source, FINE / min(steps) if steps else 24.0)


def frames_of(bpy: Any, source: str) -> tuple[int, int]:
    """Of a .blend the scene's, of other files those that have keys."""
    scene = bpy.context.scene
    if source.lower().endswith(".blend"):
        return scene.frame_start, scene.frame_end
    times = [time for each in key_times(bpy) for time in each]
    if not times:
        raise RuntimeError("nothing in it moves")
    return round(min(times)), round(max(times))


def key_times(bpy: Any) -> list[list[float]]:
    """The frames that have keys, of every curve of the file."""
    return [[key.co[0] for key in curve.keyframe_points] for curve in all_curves(bpy)]
