"""Small rigs for the tests: a body of bones with a mesh on it, poses of it, and animations as a job leaves them."""

from __future__ import annotations

import importlib
import math

import bpy
import numpy as np
import pytest
from addon.shapes import add_object, finish, shown
from mathutils import Matrix, Quaternion, Vector

# Name, parent, head, tail, connected, roll in degrees.
BONES = (
    ("hips", None, (0, 0, 0.2), (0, 0, 0.8), False, 20),
    ("spine", "hips", (0, 0, 0.8), (0, 0.1, 1.5), True, -35),
    ("head", "spine", (0, 0.1, 1.5), (0, 0.1, 2.0), True, 0),
    ("arm.L", "spine", (0.3, 0.1, 1.4), (0.9, 0.1, 1.4), False, 90),
    ("hand.L", "arm.L", (0.9, 0.1, 1.4), (1.4, 0.0, 1.4), True, 10),
    ("arm.R", "spine", (-0.3, 0.1, 1.4), (-0.9, 0.1, 1.4), False, 0),
    ("tail", "hips", (0, 0.2, 0.3), (0, 0.9, 0.2), False, 45),
)
MODES = ("QUATERNION", "XYZ", "ZYX", "YXZ", "AXIS_ANGLE", "XZY", "QUATERNION")


def body_rig(modes=MODES) -> tuple[bpy.types.Object, bpy.types.Object]:
    """The mesh object, a cloud of small triangles around the bones, and its armature."""
    data = bpy.data.armatures.new("Rig")
    armature = add_object("Rig", data)
    bpy.ops.object.mode_set(mode="EDIT")
    for name, parent, head, tail, connected, roll in BONES:
        bone = data.edit_bones.new(name)
        bone.head, bone.tail, bone.roll = head, tail, math.radians(roll)
        bone.parent = data.edit_bones[parent] if parent else None
        bone.use_connect = connected
    bpy.ops.object.mode_set(mode="OBJECT")
    for pose, mode in zip(armature.pose.bones, modes, strict=True):
        pose.rotation_mode = mode
    return skinned_cloud(armature), armature


def skinned_cloud(armature: bpy.types.Object, per_bone: int = 24, seed: int = 0) -> bpy.types.Object:
    """Triangles around every bone, each vertex held by its nearest bones."""
    rng = np.random.default_rng(seed)
    bones = [bone for bone in armature.data.bones if bone.use_deform]
    segments = [(np.array(b.head_local), np.array(b.tail_local)) for b in bones]
    points = np.concatenate(
        [a + rng.uniform(0, 1, (per_bone, 1)) * (b - a) + rng.normal(0, 0.08, (per_bone, 3)) for a, b in segments]
    )
    faces = [(3 * k, 3 * k + 1, 3 * k + 2) for k in range(len(points) // 3)]
    mesh = bpy.data.meshes.new("Body")
    mesh.from_pydata(points.tolist(), [], faces)
    obj = add_object("Body", mesh)
    distances = np.stack([_to_segment(points, a, b) for a, b in segments], axis=1)
    weights = np.exp(-((distances / 0.12) ** 2)) + 1e-9
    weights[weights < 0.05 * weights.max(axis=1, keepdims=True)] = 0
    for bone, column in zip(bones, weights.T, strict=True):
        group = obj.vertex_groups.new(name=bone.name)
        for vertex in np.flatnonzero(column):
            group.add([int(vertex)], float(min(column[vertex], 1.0)), "REPLACE")
    obj.parent = armature
    obj.modifiers.new("Armature", "ARMATURE").object = armature
    return obj


def _to_segment(points, a, b):
    along = np.clip((points - a) @ (b - a) / max((b - a) @ (b - a), 1e-12), 0, 1)
    return np.linalg.norm(points - (a + along[:, None] * (b - a)), axis=1)


def dance(armature: bpy.types.Object, obj: bpy.types.Object, frames: int = 8, seed: int = 1, turn: float = 0.7):
    """(T, N, 3): where the mesh is while all bones turn and the first one moves; the pose is put back afterwards."""
    rng = np.random.default_rng(seed)
    swings = {bone.name: (rng.normal(0, turn, 3), rng.normal(0, 1, 3)) for bone in armature.pose.bones}
    before = {bone.name: bone.matrix_basis.copy() for bone in armature.pose.bones}
    positions = []
    for t in range(frames):
        for bone in armature.pose.bones:
            axis, phase = swings[bone.name]
            vector = Vector(axis * np.sin(0.5 * t + phase) - axis * np.sin(phase))
            matrix = Quaternion(vector, vector.length).to_matrix().to_4x4() if vector.length else Matrix()
            if bone.parent is None:
                matrix = Matrix.Translation((0.1 * t, 0.05 * t, -0.02 * t)) @ matrix
            bone.matrix_basis = before[bone.name] @ matrix
        positions.append(shown(obj))
    for bone in armature.pose.bones:
        bone.matrix_basis = before[bone.name]
    bpy.context.view_layer.update()
    return np.array(positions)


def swell(armature, obj, frames: int = 8, bones=("spine", "hand.L")):
    """As `dance`, while the bones grow and shrink evenly, each in its own way: positions and scales (T, bones)."""
    factors = np.exp(0.25 * np.sin(0.7 * np.arange(frames)[:, None] + np.arange(len(bones))))
    pose = armature.pose.bones
    turns = [Quaternion((1, 0.4, 0.2), 0.15 * t) for t in range(frames)]
    positions = []
    for turn, factor in zip(turns, factors, strict=True):
        for bone in pose:
            bone.matrix_basis = turn.to_matrix().to_4x4()
        pose["hips"].location = (0.3 * turn.angle, 0, 0)
        for name, value in zip(bones, factor, strict=True):
            pose[name].scale = (value,) * 3
        positions.append(shown(obj))
    for bone in pose:
        bone.matrix_basis.identity()
    bpy.context.view_layer.update()
    return np.array(positions), factors


def animation_of(addon, obj: bpy.types.Object, positions: np.ndarray, start: float = 1.0, step: float = 1.0):
    """What a job leaves of an object."""
    playing = addon("scene.playing.animation")
    timing = addon("scene.playing.timing").Timing(start, step, len(positions))
    topology = addon("scene.reading.mesh_reading").topology_of(obj.data)
    numbers = np.arange(len(positions))
    return playing.Animation(
        playing.Target.of(obj), topology, positions.astype(np.float32), timing, numbers, 24.0, None, {}
    )


def _size_of(positions) -> float:
    return float(np.ptp(positions[0], axis=0).max())


def apart(obj, positions, start=1.0, step=1.0) -> tuple[float, float]:
    """Mean and largest distance of what Blender shows, in parts of the longest side."""
    found = [np.linalg.norm(shown(obj, start + k * step) - each, axis=1) for k, each in enumerate(positions)]
    return float(np.mean(found)) / _size_of(positions), float(np.max(found)) / _size_of(positions)


def curves_of(addon, armature) -> set[str]:
    return {curve.data_path for curve in addon("scene.playing.fcurves").curves_of(armature)}


def keep(addon, animations, to_nla: bool = False, **settings):
    """Reads the rig, keys the bones as the backend does, and keeps them."""
    own_rig, keeping = addon("scene.rigging.own_rig"), addon("scene.rigging.keeping_bones")
    solver = importlib.import_module("motion324.rigging.rig")  # the extension's wheel: it needs numpy only
    settings = importlib.import_module("motion324.core.options.rig_settings").RigSettings(**settings)
    rig = own_rig.read_own_rig(animations, settings.armature)
    rigged = solver.rig_trajectory(rig.positions, np.zeros((0, 3), int), settings, rig.read.armature, rig.skin)
    written = finish(addon("scene.playing.takes").write_all_in_steps(animations))
    return keeping.keep_on_armature(animations, rig, rigged.motion, written, to_nla)


def refused(**more):
    """Expects a Motion324Error, which the tests can name only once the extension is there."""
    return pytest.raises(importlib.import_module("motion324.core.errors").Motion324Error, **more)
