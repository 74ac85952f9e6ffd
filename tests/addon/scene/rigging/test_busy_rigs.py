"""Keyframes on bones that much else acts on: locks of every kind, an action before, drivers, the NLA editor, IK."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.rigged_bodies import animation_of, apart, body_rig, curves_of, dance, keep
from addon.shapes import add_object, shown
from mathutils import Euler

EXACT = 1e-4  # of the longest side


def with_control(armature) -> bpy.types.PoseBone:
    """A bone without weights above all others."""
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    control = bones.new("control")
    control.head, control.tail, control.use_deform = (0, 0, 0), (0, 0.5, 0), False
    bones["hips"].parent = control
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature.pose.bones["control"]


def grow(pose, channel: str, first, last, frames=(1, 20)) -> None:
    """Keys from one value to another."""
    for frame, value in zip(frames, (first, last), strict=True):
        setattr(pose, channel, value)
        pose.keyframe_insert(channel, frame=frame)
    bpy.context.scene.frame_set(1)


def values_of(pose, channel: str) -> np.ndarray:
    """(8, C): in the frames of a dance."""
    found = []
    for frame in range(1, 9):
        bpy.context.scene.frame_set(frame)
        found.append(tuple(getattr(pose, channel)))
    return np.array(found)


def test_an_action_before_leaves_nothing_behind_wherever_the_current_frame_is(addon):
    obj, armature = body_rig()
    control = with_control(armature)
    positions = dance(armature, obj)
    grow(control, "location", (0, 0, 0), (1, 0, 0.3))
    grow(control, "rotation_quaternion", (1, 0, 0, 0), (1, 0, 0.3, 0))
    grow(control, "scale", (1, 1, 1), (2, 2, 2))
    grow(armature.pose.bones["spine"], "scale", (1, 1, 1), (1.5, 1.5, 1.5))
    grow(armature.pose.bones["arm.L"], "location", (0, 0, 0), (0.5, 0.5, 0.5))
    bpy.context.scene.frame_set(20)
    keep(addon, [animation_of(addon, obj, positions)], locations="root")
    assert apart(obj, positions)[0] < EXACT
    addon("scene.playing.keeping").remove_animation(obj)
    bpy.context.scene.frame_set(20)
    assert tuple(control.scale) == (2, 2, 2) and tuple(armature.pose.bones["arm.L"].location) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("to_nla", [False, True])
def test_the_object_goes_on_moving_as_its_action_has_it(addon, to_nla):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    grow(armature, "location", (1, 0, 0), (8, 0, 0), (1, 8))
    grow(armature.pose.bones["arm.L"], "location", (0, 0, 0), (0.5, 0.5, 0.5))
    before = armature.animation_data.action
    kept = keep(addon, [animation_of(addon, obj, positions)], to_nla=to_nla)
    assert apart(obj, positions)[0] < EXACT
    for frame in (1, 8):
        bpy.context.scene.frame_set(frame)
        assert abs(obj.matrix_world.translation.x - frame) < 1e-5
    addon("scene.playing.keeping").remove_animation(obj)
    assert armature.animation_data.action == before and kept.action not in bpy.data.actions


def test_drivers_are_switched_off_also_of_scales_and_of_bones_with_odd_names(addon):
    obj, armature = body_rig()
    odd = 'a"b\\c]'
    armature.data.bones["hips"].name = odd
    positions = dance(armature, obj)
    drivers = armature.pose.bones["spine"].driver_add("scale")
    for curve in drivers:
        curve.driver.expression = "1 + 0.05 * (frame - 1)"
    drivers.append(armature.pose.bones[odd].driver_add("location", 0))
    drivers[-1].driver.expression = "0.3"
    keep(addon, [animation_of(addon, obj, positions)])
    assert apart(obj, positions)[0] < EXACT and all(curve.mute for curve in drivers)
    addon("scene.playing.keeping").remove_animation(obj)
    assert not any(curve.mute for curve in drivers)


def test_strips_below_do_not_move_what_the_keys_suppose_to_stand(addon):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    grow(armature.pose.bones["spine"], "rotation_euler", (0.5, 0, 0), (1, 0, 0))
    grow(armature.pose.bones["arm.L"], "location", (0, 0, 0), (0.5, 0.5, 0.5))
    grow(armature.pose.bones["arm.L"], "scale", (1, 1, 1), (1.5, 1.5, 1.5))
    animation = armature.animation_data
    animation.nla_tracks.new().strips.new("before", 1, animation.action)
    animation.action = None
    keep(addon, [animation_of(addon, obj, positions)], locations="root")
    assert apart(obj, positions)[0] < EXACT


@pytest.mark.parametrize(("start", "step"), [(-3.25, 1.25), (7.75, 0.8), (10.5, 0.48)])
def test_strips_begin_and_end_between_frames(addon, start, step):
    obj, armature = body_rig()
    positions = dance(armature, obj, frames=10)
    keep(addon, [animation_of(addon, obj, positions, start=start, step=step)], to_nla=True)
    assert apart(obj, positions, start=start, step=step)[1] < 1e-3


def test_ik_of_a_bone_below_without_weights_is_switched_off(addon):
    obj, armature = body_rig(modes=("QUATERNION",) * 7)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for name in ("target", "tip"):
        bone = bones.new(name)
        bone.head, bone.tail, bone.use_deform = (1.4, 0, 1.4), (1.6, 0, 1.4), False
    bones["tip"].parent, bones["tip"].use_connect = bones["hand.L"], True
    bpy.ops.object.mode_set(mode="OBJECT")
    ik = armature.pose.bones["tip"].constraints.new("IK")
    ik.target, ik.subtarget, ik.chain_count = armature, "target", 3
    positions = []
    for t in range(8):
        armature.pose.bones["target"].location = (0.05 * t, 0.1 * t, -0.06 * t)
        positions.append(shown(obj))
    armature.pose.bones["target"].location = (0, 0, 0)
    kept = keep(addon, [animation_of(addon, obj, np.array(positions))])
    assert apart(obj, positions)[0] < EXACT
    assert ik.mute and any("Constraints of 'tip'" in warning for warning in kept.warnings)
    addon("scene.playing.keeping").remove_animation(obj)
    assert not ik.mute


def test_places_that_constraints_give_turning_bones_are_kept(addon):
    obj, armature = body_rig()
    for name in ("arm.L", "hand.L"):
        follow = armature.pose.bones[name].constraints.new("COPY_LOCATION")
        follow.target, follow.subtarget = armature, "head"
    turns = dance(armature, obj, turn=0.0)
    keep(addon, [animation_of(addon, obj, turns)], locations="root")
    stiff = armature.pose.bones["arm.L"].location.length
    assert stiff > 0.1  # where the constraint had it, although nothing but the root moves
    curves = [each for each in curves_of(addon, armature) if '"arm.L"' in each]
    assert 'pose.bones["arm.L"].location' in curves


@pytest.mark.parametrize("by_component", [True, False])
@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE"])
def test_a_hinge_turns_about_its_one_axis(addon, mode, by_component):
    obj, armature = body_rig(modes=(mode,) * 7)
    hinge = armature.pose.bones["hand.L"]
    hinge.lock_rotation, hinge.lock_rotations_4d = (False, True, True), by_component
    limit = hinge.constraints.new("LIMIT_ROTATION")
    limit.owner_space, limit.use_limit_x, limit.min_x, limit.max_x = "LOCAL", True, -0.2, 2.6
    positions = []
    for t in range(9):
        hinge.matrix_basis = Euler((0.32 * t - 0.15, 0, 0)).to_matrix().to_4x4()
        positions.append(shown(obj))
    hinge.matrix_basis.identity()
    kept = keep(addon, [animation_of(addon, obj, np.array(positions))])
    assert apart(obj, positions)[0] < EXACT and not limit.mute and not kept.warnings


def test_a_locked_component_of_a_quaternion_stays(addon):
    obj, armature = body_rig(modes=("QUATERNION",) * 7)
    hand, arm = armature.pose.bones["hand.L"], armature.pose.bones["arm.R"]
    hand.lock_rotation, arm.lock_rotation = (False, True, False), (True, True, True)
    positions = dance(armature, obj)
    kept = keep(addon, [animation_of(addon, obj, positions)])
    turns = values_of(hand, "rotation_quaternion")
    assert np.abs(turns[:, 2]).max() < 1e-6 and np.ptp(turns[:, 1]) > 0.1
    assert not any('"arm.R"].rotation' in path for path in curves_of(addon, armature))
    assert not any("4L" in warning for warning in kept.warnings)
    mean = apart(obj, positions)[0]
    assert abs(100 * mean - float(kept.said.split(": ")[1].split(" %")[0])) < 0.01  # as told


def test_locks_that_cannot_be_followed_to_the_letter_are_told(addon):
    obj, armature = body_rig(modes=("QUATERNION", "AXIS_ANGLE", *("QUATERNION",) * 5))
    slanting, limited = armature.pose.bones["spine"], armature.pose.bones["hand.L"]
    slanting.rotation_axis_angle, slanting.lock_rotation = (0.5, 0.6, 0.8, 0), (True, False, False)
    limited.lock_rotation = (False, True, False)
    limit = limited.constraints.new("LIMIT_ROTATION")
    limit.owner_space, limit.use_limit_x, limit.min_x, limit.max_x = "LOCAL", True, -0.1, 0.1
    bpy.context.view_layer.update()
    kept = keep(addon, [animation_of(addon, obj, dance(armature, obj))])
    (told,) = [warning for warning in kept.warnings if "4L" in warning]
    assert "'spine'" in told and "'hand.L'" in told
    assert not any('"spine"' in path for path in curves_of(addon, armature))


def test_bones_that_locks_leave_no_way_stand_where_constraints_had_them(addon):
    """The head is locked and hangs on a neck without weights, which a constraint turns."""
    obj, armature = body_rig(modes=("QUATERNION",) * 7)
    obj.vertex_groups.remove(obj.vertex_groups["spine"])
    target = add_object("Target", None)
    target.rotation_euler = (0.5, 0.2, 0)
    copy = armature.pose.bones["spine"].constraints.new("COPY_ROTATION")
    copy.target = target
    for name in ("head", "arm.L", "hand.L", "arm.R"):
        armature.pose.bones[name].lock_rotation = (True, True, True)
    grow(armature.pose.bones["arm.L"], "location", (0, 0, 0), (0.5, 0.5, 0.5))
    bpy.context.scene.frame_set(1)
    positions = np.array([shown(obj)] * 8)
    tail = armature.pose.bones["tail"]
    for t in range(8):
        tail.rotation_quaternion = Euler((0.1 * t, 0, 0)).to_quaternion()
        positions[t] = shown(obj)
    tail.rotation_quaternion = (1, 0, 0, 0)
    bpy.context.scene.frame_set(20)
    keep(addon, [animation_of(addon, obj, positions)], locations="root")
    assert apart(obj, positions)[0] < EXACT and copy.mute


def test_limits_that_would_turn_keyed_bones_are_switched_off_told_and_put_back(addon):
    """About a free axis a bone turns so far that Blender would limit other angles of the same rotation."""
    obj, armature = body_rig(modes=("QUATERNION",) * 7)
    pose = armature.pose.bones["arm.R"]
    positions = []
    for t in range(8):
        pose.rotation_quaternion = Euler((0.1, 0.3 * t, 0.4 * t), "XYZ").to_quaternion()
        positions.append(shown(obj))
    pose.rotation_quaternion = (1, 0, 0, 0)
    limit, idle = (armature.pose.bones[name].constraints.new("LIMIT_ROTATION") for name in ("arm.R", "hand.L"))
    for each in (limit, idle):
        each.owner_space, each.use_limit_x, each.min_x, each.max_x = "LOCAL", True, -0.2, 0.2
    for _ in range(2):  # and it counts in a second take, too
        kept = keep(addon, [animation_of(addon, obj, np.array(positions))], locations="root")
        assert limit.mute and not idle.mute
        assert any("'arm.R' are switched off" in told for told in kept.warnings)
        assert apart(obj, np.array(positions))[0] < 5e-3
    addon("scene.playing.keeping").remove_animation(obj)
    assert not limit.mute and not idle.mute


def test_limits_count_in_their_own_order(addon):
    obj, armature = body_rig(modes=("QUATERNION",) * 7)
    positions = dance(armature, obj)
    hand = armature.pose.bones["hand.L"]
    limit = hand.constraints.new("LIMIT_ROTATION")
    limit.owner_space, limit.euler_order = "LOCAL", "ZYX"
    limit.use_limit_x, limit.min_x, limit.max_x = True, -0.2, 0.2
    limit.use_limit_y, limit.min_y, limit.max_y = True, -0.2, 0.2
    keep(addon, [animation_of(addon, obj, positions)])
    held = apart(obj, positions)
    limit.mute = True
    np.testing.assert_allclose(apart(obj, positions), held, atol=1e-5)  # the keys keep to it by themselves
    for frame in range(1, 9):
        bpy.context.scene.frame_set(frame)
        angles = hand.rotation_quaternion.to_euler("ZYX")
        assert abs(angles.x) < 0.2001 and abs(angles.y) < 0.2001
