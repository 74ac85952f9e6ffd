"""Bones that grow and shrink, where that is asked for, and Blender's rules of what a bone takes over of its parent."""

from __future__ import annotations

import importlib
import itertools

import bpy
import numpy as np
import pytest
from addon.rigged_bodies import animation_of, apart, body_rig, curves_of, dance, keep, swell
from mathutils import Quaternion

INHERITING = ("FULL", "AVERAGE", "ALIGNED", "FIX_SHEAR", "NONE", "NONE_LEGACY")
WAYS = list(itertools.product(INHERITING, (True, False), (True, False)))


@pytest.mark.parametrize("inheriting", INHERITING)
def test_a_scaled_truth_is_recovered_however_scale_is_inherited(addon, inheriting):
    obj, armature = body_rig()
    for name in ("head", "arm.L", "tail"):
        armature.data.bones[name].inherit_scale = inheriting
    positions, factors = swell(armature, obj)
    kept = keep(addon, [animation_of(addon, obj, positions)], scale=True)
    mean, largest = apart(obj, positions)
    assert mean < 2e-4 and largest < 5e-3 and not kept.warnings
    keyed = {path for path in curves_of(addon, armature) if path.endswith(".scale")}
    assert {'pose.bones["spine"].scale', 'pose.bones["hand.L"].scale'} <= keyed
    for k, expected in enumerate(factors):
        bpy.context.scene.frame_set(1 + k)
        np.testing.assert_allclose(armature.pose.bones["spine"].scale, (expected[0],) * 3, atol=5e-3)
    addon("scene.playing.keeping").remove_animation(obj)
    assert all(tuple(bone.scale) == (1, 1, 1) for bone in armature.pose.bones)


def test_nothing_is_scaled_unless_asked(addon):
    obj, armature = body_rig()
    positions, _ = swell(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)])
    assert not any(path.endswith(".scale") for path in curves_of(addon, armature))
    assert apart(obj, positions)[0] > 1e-3


def test_asked_for_scale_keys_no_bone_that_needs_none(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)], scale=True)
    assert not any(path.endswith(".scale") for path in curves_of(addon, armature))
    assert apart(obj, positions)[0] < 1e-4


def test_locks_and_limits_of_scale_are_kept(addon):
    obj, armature = body_rig()
    positions, _ = swell(armature, obj)
    pose = armature.pose.bones
    pose["hand.L"].lock_scale = (False, True, False)
    limit = pose["spine"].constraints.new("LIMIT_SCALE")
    limit.owner_space = "LOCAL"
    limit.use_max_y, limit.max_y, limit.use_min_x, limit.min_x = True, 1.1, True, 0.95
    keep(addon, [animation_of(addon, obj, positions)], scale=True)
    assert not any("hand.L" in path and path.endswith("scale") for path in curves_of(addon, armature))
    found = []
    for frame in range(1, 9):
        bpy.context.scene.frame_set(frame)
        found.append(tuple(pose["spine"].scale))
    assert np.ptp(found, axis=1).max() < 1e-6 and not limit.mute
    assert 0.95 - 1e-5 < np.min(found) < 0.96 and 1.09 < np.max(found) < 1.1 + 1e-5


@pytest.mark.parametrize("inheriting", INHERITING)
def test_a_pose_that_is_scaled_stays_so_however_scale_is_inherited(addon, inheriting):
    obj, armature = body_rig()
    for name in ("head", "arm.L", "arm.R"):
        armature.data.bones[name].inherit_scale = inheriting
    armature.pose.bones["spine"].scale = (1.6, 1.6, 1.6)
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)])
    assert apart(obj, positions)[0] < 1e-4
    assert not any(path.endswith(".scale") for path in curves_of(addon, armature))


def test_a_limit_of_scale_goes_on_beside_a_constraint_that_is_switched_off(addon):
    obj, armature = body_rig()
    pose = armature.pose.bones["hand.L"]
    pose.scale = (1.5, 1.5, 1.5)
    limit = pose.constraints.new("LIMIT_SCALE")
    limit.owner_space = "LOCAL"
    for axis in "xyz":
        setattr(limit, f"use_max_{axis}", True)
        setattr(limit, f"max_{axis}", 1.1)
    copy = pose.constraints.new("COPY_ROTATION")
    copy.target, copy.subtarget = armature, "arm.R"
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)])
    assert copy.mute and not limit.mute
    bpy.context.view_layer.update()
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert evaluated.pose.bones["hand.L"].matrix.to_scale().x == pytest.approx(1.1, abs=1e-4)
    assert apart(obj, positions)[0] < 1e-4


def test_what_scaled_a_bone_before_is_held_and_comes_back(addon):
    obj, armature = body_rig()
    spine, head = armature.pose.bones["spine"], armature.pose.bones["head"]
    spine.scale = (1.2, 1.2, 1.2)
    head.driver_add("scale", 0).driver.expression = "1.0"
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)], scale=True)
    assert apart(obj, positions)[0] < 1e-4 and tuple(spine.scale) == pytest.approx((1.2,) * 3)
    addon("scene.playing.keeping").remove_animation(obj)
    assert tuple(spine.scale) == pytest.approx((1.2,) * 3)
    assert not any(driver.mute for driver in armature.animation_data.drivers)


@pytest.mark.parametrize(("inheriting", "turns", "along"), WAYS)
def test_bones_are_where_blender_has_them(addon, inheriting, turns, along):
    """Turned, moved and scaled at random, in a chain whose every bone inherits in the same way."""
    _, armature = body_rig(modes=("QUATERNION",) * 7)
    addon("scene.rigging.own_rig")
    for bone in armature.data.bones:
        bone.inherit_scale, bone.use_inherit_rotation, bone.use_local_location = inheriting, turns, along
    kinematics = importlib.import_module("motion324.rigging.kinematics")
    reading = importlib.import_module("motion324.core.inside_blender.rig.armature_reading")
    bpy.context.view_layer.update()
    rig = reading.read_armature(armature, armature.evaluated_get(bpy.context.evaluated_depsgraph_get())).armature
    rng = np.random.default_rng(1)
    location, growth = rng.normal(0, 0.3, (7, 3)), np.exp(rng.normal(0, 0.3, 7))
    location[rig.connected] = 0.0
    rotation = np.empty((7, 3, 3))
    for j, name in enumerate(rig.names):
        pose = armature.pose.bones[name]
        pose.rotation_quaternion = Quaternion(rng.normal(size=4)).normalized()
        pose.location, pose.scale = location[j], (growth[j],) * 3
        rotation[j] = pose.rotation_quaternion.to_matrix()
    bpy.context.view_layer.update()
    placed = kinematics.Chain(rig).place(kinematics.Poses(rotation[None], location[None], growth[None]))
    shown_by_blender = [np.array(armature.pose.bones[name].matrix) for name in rig.names]
    np.testing.assert_allclose(placed.matrices[0], shown_by_blender, atol=2e-5)
