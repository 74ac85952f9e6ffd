"""Runs inside Blender, or a Python that has bpy: reads the rig of a file, and writes files with keyed bones.

Not part of the backend's own process: motion324.pipeline.rig_files starts it with the arguments
`read SOURCE FOLDER ARMATURE`, `write SOURCE RIG.npz STATE FPS OUT ARMATURE` or `make RIG.npz FPS OUT`, where RIG.npz is
what motion324.core.rigs.rig_file has. It works with Blender 4.2 to 5.x; motion324.blender.blender_launcher runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.core.inside_blender.mesh.making import new_mesh
from motion324.core.inside_blender.rig.exporting import write_rigged
from motion324.core.inside_blender.rig.keying import switched_off, write_keys
from motion324.core.inside_blender.rig.making import bind, make_armature
from motion324.core.inside_blender.rig.scene_rig import SceneRig, read_scene_rig
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.rigs.rig import RiggedMotion
from motion324.core.rigs.rig_file import load_rig, save_rig

STATES = ("now", "begin", "rest")
SAME = 1e-6  # of a matrix's entries


def main(command: str, *arguments: str) -> None:
    known: dict[str, Callable[..., None]] = {"read": read, "write": write, "make": make}
    try:
        known[command](*arguments)
    except Motion324Error as error:
        raise RuntimeError(f"{error.sentence} {error.hint}".strip()) from error


def read(source: str, folder: str, named: str) -> None:
    """Leaves rig_STATE.npz for every state in which the file may have been animated. named: the armature that is meant,
    "" for the only one.
    """
    import bpy

    for state in STATES:
        open_file(bpy, source)
        rig = read_in_state(bpy, source, state, named)
        if state == STATES[0]:
            for warning in rig.warnings:
                print(f"motion324-warning: {warning}")
        target = Path(folder) / f"rig_{state}.npz"
        save_rig(target, rig.read.armature, rig.skin, shown=rig.shown, to_world=rig.to_world)


def write(source: str, rig_file: str, state: str, fps: str, target: str, named: str) -> None:
    import bpy

    open_file(bpy, source)
    rig = read_in_state(bpy, source, state, named)
    armature, _, motion, _ = load_rig(Path(rig_file))
    if motion is None or armature.names != rig.read.armature.names:
        raise RuntimeError("the rig has changed since it was read")
    frames = len(motion.mean)
    rig.armature_object.data.pose_position = "POSE"
    write_keys(bpy, rig.armature_object, armature, motion, range(1, frames + 1), "Motion324", goes_on=False)
    for warning in switched_off(rig.armature_object):
        print(f"motion324-warning: {warning}")
    places = {each: each.matrix_world.copy() for each in (rig.armature_object, *rig.objects)}
    set_time(bpy, float(fps), frames)
    stand_still(bpy, places)
    save(bpy, Path(target), [rig.armature_object, *rig.objects])


def read_in_state(bpy: Any, source: str, state: str, named: str) -> SceneRig:
    """state: "now", as the file opens; "begin", at frame 0, where those of glTF begin; "rest", in the rest pose."""
    if state == "begin":
        bpy.context.scene.frame_set(0)
    armatures = [each for each in bpy.context.view_layer.objects if each.type == "ARMATURE"]
    for each in armatures if state == "rest" else ():
        if each.animation_data:
            each.animation_data_clear()
        for pose in each.pose.bones:
            pose.matrix_basis.identity()
    return read_scene_rig(bpy, Path(source).name, named)


def open_file(bpy: Any, source: str) -> None:
    if source.lower().endswith(".blend"):
        bpy.ops.wm.open_mainfile(filepath=source, load_ui=False, use_scripts=False)
        return
    bpy.ops.wm.read_homefile(use_empty=True)
    if source.lower().endswith((".glb", ".gltf")):
        bpy.ops.import_scene.gltf(filepath=source)
    else:
        bpy.ops.import_scene.fbx(filepath=source)


def set_time(bpy: Any, fps: float, frames: int) -> None:
    scene = bpy.context.scene
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps
    scene.frame_start, scene.frame_end = 1, frames
    scene.frame_set(1)


def stand_still(bpy: Any, places: dict[Any, Any]) -> None:
    """Takes off what moves these objects as such, and leaves them at their places, matrices in the world: the
    trajectory lies there, and has all of their motion in it already.
    """
    scene = bpy.context.scene
    moved: dict[Any, None] = {}
    for frame in (scene.frame_start, (scene.frame_start + scene.frame_end) // 2, scene.frame_end):
        scene.frame_set(frame)
        moved |= {each: None for each, place in places.items() if _differ(each.matrix_world, place)}
    scene.frame_set(scene.frame_start)
    for each in moved:
        if each.parent not in places:
            each.parent = None
        for constraint in each.constraints:
            constraint.mute = True
        animation = each.animation_data
        for driver in animation.drivers if animation else ():
            driver.mute = driver.mute or not driver.data_path.startswith("pose.")
        if animation and each.type != "ARMATURE":
            animation.action = None
        for track in animation.nla_tracks if animation else ():
            track.mute = True
    for each in moved:  # parents, which the armature is, come first
        each.matrix_world = places[each]
        bpy.context.view_layer.update()


def _differ(one: Any, other: Any) -> bool:
    return max(abs(a - b) for row, same in zip(one, other, strict=True) for a, b in zip(row, same, strict=True)) > SAME


def save(bpy: Any, target: Path, objects: list[Any]) -> None:
    if target.suffix.lower() == ".blend":
        bpy.ops.file.pack_all()
        bpy.ops.wm.save_as_mainfile(filepath=str(target), check_existing=False)
        return
    for each in bpy.context.view_layer.objects:
        each.select_set(each in objects)
    bpy.context.view_layer.objects.active = objects[0]
    write_rigged(bpy, target)


def make(rig_file: str, fps: str, target: str) -> None:
    """Writes a made rig. The file holds the mesh as well: faces (F, 3), face_material (F,), base_colours (M, 4), and
    where there are any corner_uv (F, 3, 2), vertex_colour (N, 3) and texture_K (H, W, 4) uint8; all with Z up.
    """
    import bpy

    armature, skin, motion, more = load_rig(Path(rig_file))
    assert motion is not None
    bpy.ops.wm.read_homefile(use_empty=True)
    set_time(bpy, float(fps), len(motion.mean))
    obj = bpy.data.objects.new("Mesh", new_mesh(bpy, reference_mesh(skin.positions, more), skin.positions))
    bpy.context.scene.collection.objects.link(obj)
    made = make_armature(bpy, "Rig", RiggedMotion(armature, skin, motion), (0.0, 0.0, 0.0))
    bind(obj, made, skin, armature.names)
    obj.parent = made
    write_keys(bpy, made, armature, motion, range(1, len(motion.mean) + 1), "Motion324")
    save(bpy, Path(target), [made, obj])


def reference_mesh(positions: np.ndarray, arrays: dict[str, np.ndarray]) -> ReferenceMesh:
    materials = []
    for k, (red, green, blue, alpha) in enumerate(arrays["base_colours"].tolist()):
        materials.append(Material(f"material {k}", (red, green, blue, alpha), arrays.get(f"texture_{k}")))
    return ReferenceMesh(
        positions=positions,
        faces=arrays["faces"],
        face_material=arrays["face_material"],
        materials=tuple(materials),
        corner_uv=arrays.get("corner_uv"),
        vertex_colour=arrays.get("vertex_colour"),
        up="Z",
        name="Mesh",
    )
