"""A rig made from the motion: the armature in Blender shows the trajectory, can be edited, and goes away again."""

from __future__ import annotations

import importlib
import json

import bpy
import numpy as np
from addon.rigged_bodies import animation_of, body_rig, dance, refused
from addon.rigged_bodies import keep as keep_on_armature
from addon.shapes import ball, finish, shown


def bent(obj, frames: int = 6) -> np.ndarray:
    """(T, N, 3): the upper half of the mesh turns about its middle."""
    rest = np.array([vertex.co for vertex in obj.data.vertices])
    positions = []
    for t in range(frames):
        c, s = np.cos(0.2 * t), np.sin(0.2 * t)
        upper = rest[:, 2:] > 0
        positions.append(np.where(upper, rest @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T, rest))
    return np.array(positions, np.float32)


def two_bones(motion, frames: int = 6):
    """What the backend would find, in the armature's space: a root, and the upper half."""
    rig = importlib.import_module("motion324.core.rigs.rig")
    rest = np.tile(np.eye(4), (2, 1, 1))
    rest[0, :3, 3] = (0, -1, 0)
    upper = motion.positions[0, :, 2] > 0
    angles = 0.2 * np.arange(frames)
    rotation = np.tile([1.0, 0, 0, 0], (frames, 2, 1))
    rotation[:, 1, 0], rotation[:, 1, 1] = np.cos(angles / 2), np.sin(angles / 2)
    none = np.zeros((2, 3))
    free = np.full((2, 3), np.inf)
    armature = rig.Armature(
        names=("root", "upper"), parents=np.array([-1, 0], np.int32), rest=rest, lengths=np.array([1.0, 0.5]),
        location=none, rotation=rotation[0], scale=np.ones((2, 3)), rotation_modes=("QUATERNION",) * 2,
        limit_orders=("XYZ",) * 2, rotation_low=-free, rotation_high=free, location_low=none, location_high=none,
        locked_components=np.zeros((2, 4), bool), scale_low=np.zeros(2), scale_high=free[0, :2],
        inherits_rotation=np.ones(2, bool), inherits_scale=np.ones(2, bool),
        local_location=np.ones(2, bool), connected=np.array([False, True]),
    )  # fmt: skip
    skin = rig.Skin(motion.positions[0], upper.astype(np.int32)[:, None], np.ones((len(upper), 1), np.float32))
    zeros = np.zeros(frames)
    moved = rig.RigMotion(
        np.ones(2, bool), np.array([True, False]), np.zeros(2, bool), np.zeros(2, bool), np.zeros((frames, 2, 3)),
        rotation, np.zeros((frames, 2, 3)), np.ones((frames, 2, 3)), zeros, zeros,
        np.zeros(len(upper), np.float32), (), {"made": True, "bones": 2},
    )  # fmt: skip
    return rig.RiggedMotion(armature, skin, moved)


def keep(addon, obj, positions, **more):
    made = addon("scene.rigging.made_rig")
    animation = animation_of(addon, obj, positions)
    motion = made.read_motion([animation])
    written = finish(addon("scene.playing.takes").write_all_in_steps([animation]))
    return made.keep_as_rig([animation], motion, two_bones(motion), written, **more)


def test_the_armature_shows_the_trajectory_and_says_how_it_was_made(addon):
    obj = ball()
    obj.location = (1, 2, 3)
    bpy.context.view_layer.update()
    before = obj.matrix_world.copy()
    positions = bent(obj)
    kept = keep(addon, obj, positions)
    for k, expected in enumerate(positions):
        np.testing.assert_allclose(shown(obj, 1 + k), expected, atol=1e-5)
    armature = bpy.data.objects["Ball Rig"]
    assert obj.parent == armature and obj.matrix_world == before and armature.location == obj.matrix_world.translation
    assert json.loads(armature["motion324_made"])["bones"] == 2
    assert [bone.name for bone in armature.data.bones] == ["root", "upper"]
    assert all(bone.length > 0.1 for bone in armature.data.bones) and armature.data.bones["upper"].use_connect
    assert armature.animation_data.action.name == kept.action
    assert bpy.context.view_layer.objects.active == obj and not kept.warnings


def test_turned_and_scaled_objects_get_an_upright_armature(addon):
    obj = ball()
    obj.rotation_euler, obj.scale = (0, 0, 1.0), (2, 2, 2)
    bpy.context.view_layer.update()
    positions = bent(obj)
    made = addon("scene.rigging.made_rig")
    motion = made.read_motion([animation_of(addon, obj, positions)])
    matrix = np.array(obj.matrix_world)[:3, :3]
    np.testing.assert_allclose(motion.positions, positions @ matrix.T, atol=1e-5)


def test_removing_the_animation_takes_the_rig_away(addon):
    obj = ball()
    obj.vertex_groups.new(name="mine")
    place = obj.matrix_world.copy()
    keep(addon, obj, bent(obj))
    addon("scene.playing.keeping").remove_animation(obj)
    assert "Ball Rig" not in bpy.data.objects and not bpy.data.armatures and not bpy.data.actions
    assert [group.name for group in obj.vertex_groups] == ["mine"]
    assert not obj.modifiers and obj.parent is None and obj.matrix_world == place


def test_the_action_of_a_made_rig_becomes_a_strip_where_asked(addon):
    obj = ball()
    positions = bent(obj)
    kept = keep(addon, obj, positions, to_nla=True)
    animation = bpy.data.objects["Ball Rig"].animation_data
    assert animation.action is None and [track.name for track in animation.nla_tracks] == [kept.action]
    np.testing.assert_allclose(shown(obj, 5), positions[4], atol=1e-5)
    addon("scene.playing.keeping").remove_animation(obj)
    assert not bpy.data.actions and not bpy.data.armatures


def test_a_second_take_replaces_the_rig(addon):
    obj = ball()
    keep(addon, obj, bent(obj))
    keep(addon, obj, bent(obj))
    assert len(bpy.data.armatures) == 1 and len(bpy.data.actions) == 1 and len(obj.modifiers) == 1


def test_a_made_rig_is_the_objects_own_for_the_next_take(addon):
    obj = ball()
    keep(addon, obj, bent(obj))
    bpy.context.scene.frame_set(1)
    second = bent(obj)[::-1]
    keep_on_armature(addon, [animation_of(addon, obj, second)])
    for k, expected in enumerate(second):
        np.testing.assert_allclose(shown(obj, 1 + k), expected, atol=2e-3)
    assert "Ball Rig" in bpy.data.objects and len(bpy.data.actions) == 1
    addon("scene.playing.keeping").remove_animation(obj)
    assert "Ball Rig" not in bpy.data.objects and not obj.modifiers


def test_bones_get_other_names_than_the_objects_vertex_groups(addon):
    obj = ball()
    obj.vertex_groups.new(name="root")
    positions = bent(obj)
    keep(addon, obj, positions)
    np.testing.assert_allclose(shown(obj, 4), positions[3], atol=1e-5)
    assert "motion324.root" in bpy.data.objects["Ball Rig"].data.bones


def test_a_mesh_that_is_deformed_already_is_refused_and_stays(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    made = addon("scene.rigging.made_rig")
    with refused() as error:
        made.read_motion([animation_of(addon, obj, positions)])
    assert error.value.code == "rig-deformed" and "Armature" in error.value.sentence
    other = ball()
    other.shape_key_add(name="Basis")
    other.shape_key_add(name="Smile")
    with refused(match="Smile"):
        made.read_motion([animation_of(addon, other, bent(other))])


def test_an_object_that_moves_by_itself_is_refused(addon):
    obj = ball()
    obj.keyframe_insert("location", frame=1)
    with refused() as error:
        addon("scene.rigging.made_rig").read_motion([animation_of(addon, obj, bent(obj))])
    assert error.value.code == "rig-moves-apart"
