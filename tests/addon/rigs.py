"""Rigged objects for the tests, and what their bones and vertices do."""

from __future__ import annotations

import bpy
import numpy as np
from addon.shapes import add_object
from mathutils import Euler


def tentacle(rings: int = 13, bones: int = 4, roll: float = 0.4) -> bpy.types.Object:
    """A tube along Z of 4 units, bound to a chain of bones with smooth weights; the armature is its parent."""
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack([0.4 * np.cos(angles), 0.3 * np.sin(angles)], axis=1)
    heights = np.linspace(0, 4, rings)
    vertices = [(x, y, z) for z in heights for x, y in ring]
    faces = [
        (8 * r + i, 8 * r + (i + 1) % 8, 8 * r + 8 + (i + 1) % 8, 8 * r + 8 + i)
        for r in range(rings - 1)
        for i in range(8)
    ]
    mesh = bpy.data.meshes.new("Tentacle")
    mesh.from_pydata(vertices, [], faces)
    data = bpy.data.armatures.new("Bones")
    armature = bpy.data.objects.new("Bones", data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    step = 4 / bones
    for index in range(bones):
        bone = data.edit_bones.new(f"bone.{index}")
        bone.head, bone.tail, bone.roll = (0, 0, index * step), (0, 0.05, (index + 1) * step), roll * index
        if index:
            bone.parent, bone.use_connect = data.edit_bones[index - 1], False
    bpy.ops.object.mode_set(mode="OBJECT")
    obj = add_object("Tentacle", mesh)
    obj.parent = armature
    for index in range(bones):
        group = obj.vertex_groups.new(name=f"bone.{index}")
        for vertex, (_, _, z) in enumerate(vertices):
            weight = max(0.0, 1.2 - abs(z / step - index - 0.5))
            if weight > 0:
                group.add([vertex], weight, "REPLACE")
    obj.modifiers.new("Armature", "ARMATURE").object = armature
    return obj


def animate(armature: bpy.types.Object, first: int, frames: int, travel: float = 0.0) -> None:
    """Every bone turns in a way of its own, in several rotation modes, and comes back after `frames` - 1 frames."""
    for number, pose in enumerate(armature.pose.bones):
        pose.rotation_mode = ("QUATERNION", "XYZ", "ZYX", "AXIS_ANGLE")[number % 4]
        path = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(
            pose.rotation_mode, "rotation_euler"
        )
        for index in range(frames):
            phase = 2 * np.pi * index / (frames - 1)
            turn = Euler([0.35 * np.sin(phase + number), 0.2 * np.sin(2 * phase), 0.3 * np.cos(phase) - 0.3])
            if path == "rotation_quaternion":
                pose.rotation_quaternion = turn.to_quaternion()
            elif path == "rotation_axis_angle":
                axis, angle = turn.to_quaternion().to_axis_angle()
                pose.rotation_axis_angle = (angle, *axis)
            else:
                pose.rotation_euler = turn
            pose.keyframe_insert(path, frame=first + index)
            if number == 0:
                pose.location = (0.1 * np.sin(phase), travel * index, 0)
                pose.keyframe_insert("location", frame=first + index)


def vertices_in_world(obj: bpy.types.Object, frames: range) -> np.ndarray:
    """(T, N, 3): as the viewport shows them."""
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = evaluated.to_mesh()
        matrix = np.array(evaluated.matrix_world)
        places = np.array([vertex.co for vertex in mesh.vertices])
        found.append(places @ matrix[:3, :3].T + matrix[:3, 3])
        evaluated.to_mesh_clear()
    return np.array(found)


def heads_in_world(armature: bpy.types.Object, frames: range) -> dict[str, np.ndarray]:
    """(T, 3) by the bones' names."""
    found: dict[str, list[np.ndarray]] = {bone.name: [] for bone in armature.pose.bones}
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for bone in evaluated.pose.bones:
            found[bone.name].append(np.array(evaluated.matrix_world @ bone.head))
    return {name: np.array(places) for name, places in found.items()}
