"""Keyframes on the bones of an object's own armature: Blender shows the trajectory that they were fitted to."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from addon.rigged_bodies import MODES, animation_of, apart, body_rig, curves_of, dance, keep, refused, skinned_cloud
from addon.shapes import shown
from mathutils import Euler


def test_blender_shows_the_trajectory_with_every_rotation_mode_and_roll(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    kept = keep(addon, [animation_of(addon, obj, positions)])
    mean, largest = apart(obj, positions)
    assert mean < 1e-4 and largest < 1e-3
    assert not kept.warnings
    paths = curves_of(addon, armature)
    assert 'pose.bones["hips"].location' in paths and 'pose.bones["hand.L"].location' not in paths
    kinds = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    for bone, mode in zip(armature.pose.bones, MODES, strict=True):
        assert f'pose.bones["{bone.name}"].{kinds.get(mode, "rotation_euler")}' in paths
    assert not any("scale" in path for path in paths)
    assert armature.animation_data.action.name == kept.action == "Body Motion324"


def test_objects_and_armatures_may_be_moved_turned_scaled_and_mirrored(addon):
    obj, armature = body_rig()
    armature.location, armature.scale = (1, 2, 3), (-0.5, 0.5, 0.5)
    armature.rotation_euler = Euler((0.3, -0.4, 1.0))
    obj.location, obj.scale, obj.rotation_euler = (0.1, 0.2, 0.3), (1.3, 0.8, 1.0), (0.2, 0.1, 0)
    positions = dance(armature, obj)
    kept = keep(addon, [animation_of(addon, obj, positions)])
    assert apart(obj, positions)[0] < 1e-4
    assert any("mirrored" in warning for warning in kept.warnings)


def test_the_pose_at_the_first_frame_may_be_far_from_the_rest_pose(addon):
    obj, armature = body_rig()
    for bone in armature.pose.bones:
        bone.matrix_basis = Euler((1.2, -0.8, 2.0)).to_matrix().to_4x4()
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)])
    assert apart(obj, positions)[0] < 1e-4


@pytest.mark.parametrize("bone", ["spine", "arm.L"])
def test_bones_that_do_not_inherit_rotation_or_move_along_the_armature_are_followed(addon, bone):
    obj, armature = body_rig()
    armature.data.bones[bone].use_inherit_rotation = False
    armature.data.bones["hips"].use_local_location = False
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)])
    assert apart(obj, positions)[0] < 1e-4


def test_locks_and_limits_are_kept(addon):
    obj, armature = body_rig()
    pose = armature.pose.bones
    pose["arm.R"].lock_rotation = (True, False, True)
    pose["hand.L"].rotation_mode = "XYZ"
    limit = pose["hand.L"].constraints.new("LIMIT_ROTATION")
    limit.owner_space = "LOCAL"
    limit.use_limit_x, limit.min_x, limit.max_x = True, -0.1, 0.1
    pose["hips"].lock_location = (False, True, False)
    near = pose["hips"].constraints.new("LIMIT_LOCATION")
    near.owner_space = "LOCAL"
    near.use_min_x, near.min_x, near.use_max_x, near.max_x = True, -0.01, True, 0.01
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)])
    for frame in range(1, 9):
        bpy.context.scene.frame_set(frame)
        angles = pose["arm.R"].matrix_basis.to_euler(pose["arm.R"].rotation_mode)
        assert abs(angles.x) < 1e-4 and abs(angles.z) < 1e-4
        assert -0.1001 < pose["hand.L"].rotation_euler.x < 0.1001
        assert abs(pose["hips"].location.y) < 1e-6 and abs(pose["hips"].location.x) < 0.01001
    found = [
        point.co.y
        for curve in addon("scene.playing.fcurves").curves_of(armature)
        if curve.data_path == 'pose.bones["hips"].location' and curve.array_index == 0
        for point in curve.keyframe_points
    ]
    assert max(np.abs(found)) <= 0.01 + 1e-6 and not limit.mute and not near.mute


def test_rotations_do_not_leap(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj, frames=24, turn=2.5)
    keep(addon, [animation_of(addon, obj, positions)])
    for curve in addon("scene.playing.fcurves").curves_of(armature):
        if "rotation_quaternion" in curve.data_path:
            values = [point.co.y for point in curve.keyframe_points]
            assert np.abs(np.diff(values)).max() < 1.0
        if "rotation_euler" in curve.data_path:
            values = [point.co.y for point in curve.keyframe_points]
            assert np.abs(np.diff(values)).max() < math.pi


def test_bones_without_weights_stay(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    obj.vertex_groups.remove(obj.vertex_groups["tail"])
    keep(addon, [animation_of(addon, obj, positions)])
    assert not any('"tail"' in path for path in curves_of(addon, armature))


def test_frames_between_and_other_starts_are_met(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions, start=10.0, step=0.5)])
    assert apart(obj, positions, start=10.0, step=0.5)[0] < 1e-4


def test_several_objects_on_one_armature_are_keyed_together(addon):
    obj, armature = body_rig()
    other = skinned_cloud(armature, seed=5)
    first, second = dance(armature, obj), dance(armature, other)
    keep(addon, [animation_of(addon, obj, first), animation_of(addon, other, second)])
    assert apart(obj, first)[0] < 1e-4 and apart(other, second)[0] < 1e-4


@pytest.mark.parametrize("parent_type", ["OBJECT", "ARMATURE"])
def test_a_mesh_that_no_modifier_binds_is_bound_to_the_armature_that_is_meant(addon, parent_type):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    obj.modifiers.clear()
    subdivision = obj.modifiers.new("Smooth", "SUBSURF")
    subdivision.show_viewport = False
    obj.parent_type = parent_type
    named = "" if parent_type == "ARMATURE" else armature.name
    kept = keep(addon, [animation_of(addon, obj, positions)], armature=named or None)
    assert [each.type for each in obj.modifiers] == ["ARMATURE", "SUBSURF"] and obj.parent_type == "OBJECT"
    assert apart(obj, positions)[0] < 1e-4
    assert any("new Armature modifier" in warning for warning in kept.warnings)
    addon("scene.playing.keeping").remove_animation(obj)
    assert [each.type for each in obj.modifiers] == ["SUBSURF"] and obj.parent_type == parent_type


def test_an_armature_that_is_meant_but_cannot_move_the_mesh_is_refused_and_nothing_is_bound(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    obj.modifiers.clear()
    animation = animation_of(addon, obj, positions)
    for group in obj.vertex_groups:
        group.name = f"old {group.name}"
    for named, code, words in (
        (armature.name, "rig-without-weights", "No vertex group of 'Body' is called as a bone of 'Rig'"),
        ("Body", "no-armature", "is no armature"),
        ("Nobody", "no-armature", "no object 'Nobody'"),
    ):
        with refused() as error:
            keep(addon, [animation], armature=named)
        assert error.value.code == code and words in error.value.sentence and error.value.hint
    assert not obj.modifiers and not addon("scene.playing.keeping").is_kept(obj)


def test_removing_the_animation_puts_everything_back(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    armature.pose.bones["hips"].keyframe_insert("location", frame=1)
    before = armature.animation_data.action
    driver = armature.pose.bones["head"].driver_add("rotation_quaternion", 0).driver
    driver.expression = "1.0"
    follow = armature.pose.bones["arm.L"].constraints.new("COPY_ROTATION")
    follow.target, follow.subtarget, follow.influence = armature, "arm.R", 0.5
    bpy.context.view_layer.update()
    rest = shown(obj)
    armature.pose.bones["arm.L"].constraints[0].mute = True
    positions = dance(armature, obj)
    armature.pose.bones["arm.L"].constraints[0].mute = False
    kept = keep(addon, [animation_of(addon, obj, positions)])
    assert apart(obj, positions)[0] < 2e-3
    assert follow.mute and any("Constraints" in warning for warning in kept.warnings)
    keeping = addon("scene.playing.keeping")
    assert keeping.is_kept(obj)
    keeping.remove_animation(obj)
    bpy.context.scene.frame_set(1)
    assert armature.animation_data.action == before and not follow.mute
    assert not armature.animation_data.drivers[0].mute
    assert kept.action not in bpy.data.actions
    assert "motion324_distance" not in obj.data.attributes
    np.testing.assert_allclose(shown(obj, 1), rest, atol=1e-5)


def test_the_action_becomes_a_strip_where_asked(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    kept = keep(addon, [animation_of(addon, obj, positions)], to_nla=True)
    assert armature.animation_data.action is None
    assert [track.name for track in armature.animation_data.nla_tracks] == [kept.action]
    assert apart(obj, positions)[0] < 1e-4
    addon("scene.playing.keeping").remove_animation(obj)
    assert not armature.animation_data.nla_tracks and kept.action not in bpy.data.actions


def test_a_second_take_replaces_the_first(addon):
    obj, armature = body_rig()
    first = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, first)])
    bpy.context.scene.frame_set(1)
    second = dance(armature, obj, seed=7)
    # the keys of the first take hold the pose: the second is of the same rig, posed by hand
    keep(addon, [animation_of(addon, obj, second)])
    assert apart(obj, second)[0] < 1e-4
    assert len([action for action in bpy.data.actions if "Motion324" in action.name]) == 1


def test_an_ik_rig_is_baked_onto_its_deforming_bones(addon):
    obj, armature = body_rig(modes=("QUATERNION",) * 7)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    target = armature.data.edit_bones.new("target")
    target.head, target.tail, target.use_deform = (1.4, 0, 1.4), (1.6, 0, 1.4), False
    bpy.ops.object.mode_set(mode="OBJECT")
    ik = armature.pose.bones["hand.L"].constraints.new("IK")
    ik.target, ik.subtarget, ik.chain_count = armature, "target", 2
    positions = []
    for t in range(8):
        armature.pose.bones["target"].location = (0.05 * t, 0.1 * t, -0.06 * t)
        positions.append(shown(obj))
    armature.pose.bones["target"].location = (0, 0, 0)
    positions = np.array(positions)
    kept = keep(addon, [animation_of(addon, obj, positions)])
    assert apart(obj, positions)[0] < 1e-3
    assert ik.mute and any("hand.L" in warning for warning in kept.warnings)


def test_bendy_bones_are_straight_while_the_keys_are_there(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    armature.data.bones["spine"].bbone_segments = 4
    kept = keep(addon, [animation_of(addon, obj, positions)])
    assert apart(obj, positions)[0] < 1e-4 and any("'spine'" in warning for warning in kept.warnings)
    addon("scene.playing.keeping").remove_animation(obj)
    assert armature.data.bones["spine"].bbone_segments == 4


@pytest.mark.long
def test_a_rigify_rig_is_keyed_on_its_deforming_bones(addon):
    import addon_utils

    addon_utils.enable("rigify", default_set=True)
    bpy.ops.object.armature_basic_human_metarig_add()
    bpy.ops.pose.rigify_generate()
    armature = bpy.data.objects["rig"]
    obj = skinned_cloud(armature, per_bone=12)
    controls = armature.pose.bones
    positions = []
    for t in range(6):
        controls["torso"].location = (0.02 * t, 0.03 * t, 0)
        controls["hand_ik.L"].location = (0.0, -0.06 * t, 0.05 * t)
        controls["foot_ik.R"].location = (0, -0.05 * t, 0.03 * t)
        controls["head"].rotation_mode = "XYZ"
        controls["head"].rotation_euler.y = 0.1 * t
        positions.append(shown(obj))
    for name in ("torso", "hand_ik.L", "foot_ik.R"):
        controls[name].location = (0, 0, 0)
    controls["head"].rotation_euler.y = 0
    bpy.context.view_layer.update()
    kept = keep(addon, [animation_of(addon, obj, np.array(positions))])
    assert apart(obj, positions)[0] < 5e-3
    assert any("Constraints" in warning for warning in kept.warnings)
    paths = curves_of(addon, armature)
    assert any('"DEF-' in path for path in paths) and not any('"hand_ik' in path for path in paths)
    addon("scene.playing.keeping").remove_animation(obj)
    controls["hand_ik.L"].location.z = 0.2
    assert np.abs(shown(obj, 1) - positions[0]).max() > 0.05  # the controls work again


def test_where_the_rig_cannot_follow_is_told_and_shown(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    torn = positions.copy()
    torn[4:, :12] += 1.0  # a part of the hips flies away
    kept = keep(addon, [animation_of(addon, obj, torn)])
    assert any("cannot follow" in warning for warning in kept.warnings)
    action = bpy.data.actions[kept.action]
    means, largest = (np.array(action[name][:]) for name in ("motion324_mean", "motion324_largest"))
    assert len(means) == len(largest) == len(torn) and means[:4].max() < 1 and largest[:4].max() < 5
    assert means[4:].min() > 5 and abs(largest.max() - 100 * apart(obj, torn)[1]) < 0.1
    values = np.empty(len(obj.data.vertices), np.float32)
    obj.data.attributes["motion324_distance"].data.foreach_get("value", values)
    assert values[:12].min() > 0.3


def test_constraints_of_bones_above_the_keyed_ones_do_not_move_them(addon):
    obj, armature = body_rig()
    obj.vertex_groups.remove(obj.vertex_groups["hips"])
    armature.pose.bones["hips"].constraints.new("COPY_LOCATION").target = bpy.data.objects.new("Empty", None)
    armature.pose.bones["hips"].constraints[0].influence = 0.0
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)])
    assert apart(obj, positions)[0] < 5e-3
