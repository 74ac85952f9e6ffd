"""Writes a MovingRig by Blender's exporters as engines take it: an armature and a mesh made for the file, then removed.

Nodes are neither scaled nor turned: what the file's unit and axes ask for is done to the data, and the objects' own
matrices take it off again for Blender, so that they come out as identities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.inside_blender.fcurves import new_channels, write_curve
from motion324.core.inside_blender.rig.exporting import write_skinned_glb
from motion324.core.motion.quaternions import from_quaternion
from motion324.core.options.engine_settings import GODOT, UNITY, UNREAL
from motion324.core.rigs.key_reduction import FileAngles, ReducedKeys, all_keys
from motion324.core.rigs.moving_rig import BoneCurves, MovingRig

ARMATURE = "Armature"  # whose node Unreal leaves out, so that the root bone is the root
# The file's units in a metre, its axes as Blender's exporter calls them, and from Blender's axes to them.
CENTIMETRES, METRES = 100.0, 1.0
Z_UP = np.eye(3)
Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
LAYOUTS = {UNREAL: (CENTIMETRES, Z_UP), UNITY: (METRES, Y_UP), GODOT: (METRES, Z_UP)}
FBX = {
    UNREAL: {"axis_forward": "Y", "axis_up": "Z", "apply_scale_options": "FBX_SCALE_NONE"},
    UNITY: {"axis_forward": "-Z", "axis_up": "Y", "apply_scale_options": "FBX_SCALE_UNITS"},
}


def write_for_engine(
    bpy: Any, objects: Sequence[Any], rig: MovingRig, keys: ReducedKeys, path: Path, engine: str, action_name: str
) -> None:
    """objects: whose vertices, one after another, are the rig's; faces, materials and texture coordinates are theirs.

    Raises RuntimeError as Blender's operators do.
    """
    with ExitStack() as stack:
        stack.enter_context(_object_mode(bpy))
        played = keys if engine == GODOT else all_keys(rig)  # FBX is baked from what plays
        made = stack.enter_context(_made(bpy, objects, rig, played, engine, action_name))
        stack.enter_context(_scene(bpy, len(rig.curves), rig.fps))
        stack.enter_context(_selected(bpy, made))
        if engine == GODOT:
            _write_glb(bpy, path, len(rig.curves))
        else:
            bpy.context.scene.frame_set(0)  # from whose angles the exporter goes on, as `file_angles` does
            if keys.share < 1:
                stack.enter_context(_only_keys(dict(zip(rig.names, keys.frames, strict=True))))
            _write_fbx(bpy, path, engine)


def file_angles(bpy: Any, rig: MovingRig, engine: str) -> FileAngles | None:
    """The angles that the engine's file has, or None where it has quaternions."""
    if engine == GODOT:
        return None
    _, turn = LAYOUTS[engine]
    matrix = type(bpy.data.objects[0].matrix_world)
    inverse = np.linalg.inv(rig.rest)
    rest = np.array([inverse[p] @ rig.rest[j] if p >= 0 else rig.rest[j] for j, p in enumerate(rig.parents)])
    rest = rest[:, :3, :3]
    rest[rig.parents < 0] = turn @ rest[rig.parents < 0]
    angles = np.empty((len(rig.curves), len(rest), 3))
    for j, own in enumerate(rest):
        before: list[Any] = []
        for t, turned in enumerate(own @ from_quaternion(rig.curves.rotation[:, j])):
            before = [matrix(turned.tolist()).to_3x3().to_euler("XYZ", *before)]
            angles[t, j] = before[0]
    return FileAngles(angles, rest)


@contextmanager
def _only_keys(frames: dict[str, np.ndarray]) -> Iterator[None]:
    """Has Blender's exporter of FBX write keys of the bones of these names in these frames only. By itself it keys
    every frame, or leaves out what differs little from the frame before, whatever a mesh does then.
    """
    from io_scene_fbx.fbx_utils import AnimationCurveNodeWrapper as Curves

    def thin(self: Any, *_: Any, **__: Any) -> None:
        mine = [name for name in frames if self.elem_keys[0].endswith(f"#{name}")]
        if mine and self._frame_write_mask_array is not None:
            self._frame_write_mask_array[:] = False
            self._frame_write_mask_array[:, frames[max(mine, key=len)]] = True

    before, Curves.simplify = Curves.simplify, thin
    try:
        yield
    finally:
        Curves.simplify = before


def _write_fbx(bpy: Any, path: Path, engine: str) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        object_types={"MESH", "ARMATURE"},
        use_mesh_modifiers=False,
        global_scale=1.0,
        apply_unit_scale=True,
        add_leaf_bones=False,
        armature_nodetype="NULL",
        bake_anim=True,
        bake_anim_use_all_bones=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_force_startend_keying=True,
        bake_anim_step=1.0,
        bake_anim_simplify_factor=0.0,
        path_mode="COPY",
        embed_textures=True,
        **FBX[engine],
    )


def _write_glb(bpy: Any, path: Path, frames: int) -> None:
    write_skinned_glb(
        bpy,
        path,
        frames - 1,
        export_influence_nb=4,
        export_all_influences=True,
        export_frame_range=False,
        export_force_sampling=False,  # else every frame has a key, whatever is keyed
    )


@contextmanager
def _made(
    bpy: Any, objects: Sequence[Any], rig: MovingRig, keys: ReducedKeys, engine: str, action_name: str
) -> Iterator[list[Any]]:
    """The armature object and the mesh objects."""
    scale, turn = LAYOUTS[engine]
    data = np.eye(4)
    data[:3, :3] = scale * turn
    made: list[Any] = []
    try:
        armature = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
        made.append(armature)
        bpy.context.scene.collection.objects.link(armature)
        matrix = type(armature.matrix_world)
        _add_bones(bpy, armature, rig, data, matrix)
        armature.matrix_world = matrix(np.linalg.inv(data).tolist())
        _key(bpy, armature, rig, keys, scale, action_name)
        with ExitStack() as names:
            name = ARMATURE if engine == UNREAL else f"{objects[0].name} Rig"
            names.enter_context(_called(bpy, armature, name, "objects"))
            place = 0
            for obj in objects:
                name, mesh = obj.name, obj.copy()
                made.append(mesh)
                mesh.data = obj.data.copy()
                vertices = slice(place, place + len(mesh.data.vertices))
                _bind(mesh, armature, rig, vertices, data, matrix)
                bpy.context.scene.collection.objects.link(mesh)
                names.enter_context(_called(bpy, mesh, name, "objects"))
                names.enter_context(_called(bpy, mesh.data, name, "meshes"))
                place = vertices.stop
            yield made
    finally:
        for each in made:
            _remove(bpy, each)


def _add_bones(bpy: Any, armature: Any, rig: MovingRig, data: np.ndarray, matrix: Any) -> None:
    scale = np.linalg.norm(data[:3, 0])
    for other in bpy.context.view_layer.objects:
        other.select_set(False)
    armature.select_set(True)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        bones = armature.data.edit_bones
        for j, name in enumerate(rig.names):
            bone = bones.new(name)
            bone.head, bone.tail = (0, 0, 0), (0, max(scale * rig.lengths[j], 1e-4), 0)
            placed = data @ rig.rest[j]
            placed[:3, :3] /= scale
            bone.matrix = matrix(placed.tolist())
            bone.parent = bones[rig.names[rig.parents[j]]] if rig.parents[j] >= 0 else None
            bone.use_connect, bone.inherit_scale = False, "FULL"
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")


def _bind(mesh: Any, armature: Any, rig: MovingRig, vertices: slice, data: np.ndarray, matrix: Any) -> None:
    if mesh.data.shape_keys is not None:
        mesh.shape_key_clear()
    mesh.modifiers.clear()
    mesh.constraints.clear()
    mesh.animation_data_clear()
    mesh.hide_viewport = mesh.hide_select = False
    mesh.vertex_groups.clear()
    if np.linalg.det(np.array(mesh.matrix_world)[:3, :3]) < 0:
        mesh.data.flip_normals()
    places = rig.positions[vertices] @ data[:3, :3].T
    mesh.data.vertices.foreach_set("co", places.astype(np.float32).ravel())
    mesh.data.update()
    groups = [mesh.vertex_groups.new(name=name) for name in rig.names]
    rows = zip(rig.joints[vertices].tolist(), rig.weights[vertices].tolist(), strict=True)
    for vertex, (joints, weights) in enumerate(rows):
        for joint, weight in zip(joints, weights, strict=True):
            if weight > 0:
                groups[joint].add((vertex,), weight, "REPLACE")
    mesh.parent = None  # glTF wants skinned meshes beside their bones
    mesh.matrix_parent_inverse = matrix(np.eye(4).tolist())
    mesh.delta_location, mesh.delta_scale = (0, 0, 0), (1, 1, 1)
    mesh.delta_rotation_euler, mesh.delta_rotation_quaternion = (0, 0, 0), (1, 0, 0, 0)
    mesh.matrix_basis = armature.matrix_world
    modifier = mesh.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature


def _key(bpy: Any, armature: Any, rig: MovingRig, keys: ReducedKeys, scale: float, name: str) -> None:
    """Keys from the scene's frame 0 on."""
    curves = BoneCurves(scale * rig.curves.location, rig.curves.rotation, rig.curves.scale)
    fcurves = new_channels(bpy, armature, name).fcurves
    for j, bone in enumerate(rig.names):
        pose = armature.pose.bones[bone]
        pose.rotation_mode = "QUATERNION"
        path, frames = f'pose.bones["{bpy.utils.escape_identifier(bone)}"]', keys.frames[j]
        for channel, values in (
            ("location", curves.location[frames, j]),
            ("rotation_quaternion", curves.rotation[frames, j]),
            ("scale", curves.scale[frames, j]),
        ):
            for index in range(values.shape[1]):
                write_curve(fcurves, f"{path}.{channel}", frames, values[:, index], index=index)


@contextmanager
def _called(bpy: Any, block: Any, name: str, kind: str) -> Iterator[None]:
    """Lends a data-block of ours a name that another one has, which gets it back."""
    other = next((each for each in getattr(bpy.data, kind) if each.name == name and each.library is None), None)
    if other is not None and other != block:
        other.name = f"{name}.original"
    block.name = name
    try:
        yield
    finally:
        block.name = f"{name}.made"
        if other is not None and other != block:
            other.name = name


@contextmanager
def _object_mode(bpy: Any) -> Iterator[None]:
    """Whatever mode the person is in, and whatever is selected, comes back."""
    layer = bpy.context.view_layer
    active, selected = layer.objects.active, [each for each in layer.objects if each.select_get()]
    mode = active.mode if active is not None else "OBJECT"
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield
    finally:
        layer.update()  # else what was removed meanwhile is still among its objects, as None
        for each in layer.objects:
            each.select_set(each in selected)
        layer.objects.active = active
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode=mode)


@contextmanager
def _selected(bpy: Any, objects: list[Any]) -> Iterator[None]:
    layer = bpy.context.view_layer
    layer.update()
    for each in layer.objects:
        each.select_set(each in objects)
    layer.objects.active = objects[0]
    yield


@contextmanager
def _scene(bpy: Any, frames: int, fps: float) -> Iterator[None]:
    """A scene of metres whose frames 0 to `frames` - 1 are the motion, at its rate and not stretched; put back at the
    end."""
    scene = bpy.context.scene
    render, units = scene.render, scene.unit_settings
    before = render.fps, render.fps_base, scene.frame_start, scene.frame_end, scene.use_preview_range
    unit, stretched = (units.system, units.scale_length), render.frame_map_new
    now = scene.frame_current, scene.frame_subframe
    render.fps = max(1, round(fps))
    render.fps_base = render.fps / fps
    render.frame_map_new = render.frame_map_old
    scene.use_preview_range = False
    scene.frame_start, scene.frame_end = 0, frames - 1
    units.system, units.scale_length = "METRIC", 1.0
    try:
        yield
    finally:
        render.fps, render.fps_base, scene.frame_start, scene.frame_end, scene.use_preview_range = before
        units.system, units.scale_length = unit
        render.frame_map_new = stretched
        scene.frame_set(now[0], subframe=now[1])


def _remove(bpy: Any, obj: Any) -> None:
    data, kind = obj.data, "armatures" if obj.type == "ARMATURE" else "meshes"
    action = obj.animation_data.action if obj.animation_data else None
    bpy.data.objects.remove(obj)
    if data.users == 0:
        getattr(bpy.data, kind).remove(data)
    if action is not None and action.users == 0:
        bpy.data.actions.remove(action)
