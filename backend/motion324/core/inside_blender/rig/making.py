"""A made rig in Blender: the armature object, and what binds a mesh to it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from motion324.core.rigs.rig import RiggedMotion, Skin

MADE = "motion324_made"  # a custom property of the armature object: how it was made, as JSON


def make_armature(bpy: Any, name: str, rigged: RiggedMotion, location: tuple[float, float, float]) -> Any:
    """A new armature object in the scene, with the bones of `rigged`, which lie in its own space; it becomes active.

    Its custom property MADE tells how it was made.
    """
    data = bpy.data.armatures.new(name)
    obj = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(obj)
    obj.location = location
    obj.show_in_front = True
    layer = bpy.context.view_layer
    layer.objects.active = obj
    obj.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        bones: list[Any] = []
        for j, bone_name in enumerate(rigged.armature.names):
            bone = data.edit_bones.new(bone_name)
            bone.head, bone.tail = (0.0, 0.0, 0.0), (0.0, float(rigged.armature.lengths[j]), 0.0)
            bone.matrix = type(obj.matrix_world)(rigged.armature.rest[j].tolist())
            parent = int(rigged.armature.parents[j])
            if parent >= 0:
                bone.parent = bones[parent]
                bone.use_connect = bool(rigged.armature.connected[j])
            bones.append(bone)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    for pose, mode in zip(obj.pose.bones, rigged.armature.rotation_modes, strict=True):
        pose.rotation_mode = mode
    obj[MADE] = json.dumps(rigged.motion.report)
    return obj


def bind(obj: Any, armature: Any, skin: Skin, names: tuple[str, ...], place: int | None = None) -> Any:
    """Vertex groups of the bones' names, and an Armature modifier, which it returns. place: of it among the modifiers,
    None for the last.
    """
    groups = {j: obj.vertex_groups.new(name=names[j]) for j in np.unique(skin.joints[skin.weights > 0])}
    for joints, weights in zip(skin.joints.T, skin.weights.T, strict=True):
        for vertex in np.flatnonzero(weights):
            groups[joints[vertex]].add([int(vertex)], float(weights[vertex]), "REPLACE")
    modifier = obj.modifiers.new("Motion324 Rig", "ARMATURE")
    modifier.object = armature
    modifier.use_vertex_groups, modifier.use_bone_envelopes = True, False
    if place is not None:
        obj.modifiers.move(len(obj.modifiers) - 1, place)
    return modifier
