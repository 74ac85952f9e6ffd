"""Keyframes on bones whatever the NLA editor is about: strips being edited, tracks heard alone, actions that blend."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.rigged_bodies import animation_of, apart, body_rig, dance, keep
from addon.scene.rigging.test_busy_rigs import grow
from addon.shapes import ball, shown

FRAMES = (1, 5, 20)


def tweaked(animation) -> None:
    """The last track's strip is being edited."""
    track = animation.nla_tracks[-1]
    animation.nla_tracks.active = track
    track.select = track.strips[0].select = True
    animation.use_tweak_mode = True
    assert animation.use_tweak_mode


def heard_alone(animation) -> None:
    animation.nla_tracks[0].is_solo = True


def switched_off(animation) -> None:
    animation.use_nla = False


def added_on_top(animation) -> None:
    animation.action, animation.action_blend_type = animation.nla_tracks[0].strips[0].action, "ADD"


def half_as_strong(animation) -> None:
    animation.action, animation.action_influence = animation.nla_tracks[0].strips[0].action, 0.5


def state_of(animation) -> list:
    tracks = [(track.name, track.mute, track.is_solo) for track in animation.nla_tracks]
    return [tracks, animation.use_nla, animation.action_influence, animation.action_blend_type, animation.action]


@pytest.mark.parametrize("to_nla", [False, True])
@pytest.mark.parametrize("made", [tweaked, heard_alone, switched_off, added_on_top, half_as_strong])
def test_keys_count_in_full_and_all_comes_back(addon, made, to_nla):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    grow(armature.pose.bones["spine"], "rotation_euler", (0.5, 0, 0), (1, 0, 0))
    grow(armature.pose.bones["arm.L"], "location", (0, 0, 0), (0.5, 0.5, 0.5))
    animation = armature.animation_data
    for _ in range(2):
        animation.nla_tracks.new().strips.new("before", 1, animation.action)
    animation.action = None
    before = state_of(animation)
    made(animation)
    changed = before if made is tweaked else state_of(animation)  # the editing of a strip ends
    looked = [shown(obj, frame) for frame in FRAMES]
    kept = keep(addon, [animation_of(addon, obj, positions)], to_nla=to_nla)
    assert apart(obj, positions)[0] < 1e-4 and not kept.warnings
    addon("scene.playing.keeping").remove_animation(obj)
    assert state_of(animation) == changed
    for frame, there in zip(FRAMES, looked, strict=True):
        np.testing.assert_allclose(shown(obj, frame), there, atol=1e-4)


@pytest.mark.parametrize("then", ["second take", "removed"])
def test_while_its_strip_is_edited_an_animation_is_replaced_or_removed(addon, then):
    obj, armature = body_rig()
    first, second = dance(armature, obj), dance(armature, obj, seed=3)
    keep(addon, [animation_of(addon, obj, first)], to_nla=True)
    tweaked(armature.animation_data)
    if then == "second take":
        keep(addon, [animation_of(addon, obj, second)], to_nla=True)
        assert apart(obj, second)[0] < 1e-4 and len(armature.animation_data.nla_tracks) == 1
    else:
        addon("scene.playing.keeping").remove_animation(obj)
        assert not armature.animation_data.nla_tracks and not armature.animation_data.use_tweak_mode


@pytest.mark.parametrize("then", ["second take", "removed"])
def test_the_same_with_shape_keys(addon, then):
    obj = ball()
    base = np.array([vertex.co for vertex in obj.data.vertices])
    takes = [base + factor * np.arange(5)[:, None, None] * base for factor in (0.1, -0.1)]
    keeping = addon("scene.playing.keeping")
    list(keeping.keep_as_shape_keys(animation_of(addon, obj, takes[0])))
    bpy.context.view_layer.objects.active = obj
    assert bpy.ops.motion324.push_to_nla() == {"FINISHED"}
    tweaked(obj.data.shape_keys.animation_data)
    if then == "second take":
        list(keeping.keep_as_shape_keys(animation_of(addon, obj, takes[1])))
        np.testing.assert_allclose(shown(obj, 5), takes[1][4], atol=1e-5)
    else:
        keeping.remove_animation(obj)
        np.testing.assert_allclose(shown(obj, 5), base, atol=1e-5)


@pytest.mark.parametrize("made", [heard_alone, switched_off, added_on_top, half_as_strong])
def test_shape_keys_count_in_full_beside_those_of_others_and_all_comes_back(addon, made):
    obj = ball()
    base = np.array([vertex.co for vertex in obj.data.vertices])
    obj.shape_key_add(name="Basis")
    smile = obj.shape_key_add(name="Smile")
    for point in smile.data:
        point.co.z *= 1.2
    grow(smile, "value", 0.0, 1.0)
    animation = obj.data.shape_keys.animation_data
    for _ in range(2):
        animation.nla_tracks.new().strips.new("before", 1, animation.action)
    animation.action = None
    made(animation)
    before, looked = state_of(animation)[:4], [shown(obj, frame) for frame in FRAMES]
    take = base + 0.1 * np.arange(5)[:, None, None] * base
    keeping = addon("scene.playing.keeping")
    stopped = keeping.keep_as_shape_keys(animation_of(addon, obj, take))
    next(stopped)
    stopped.close()
    assert state_of(animation)[:4] == before
    list(keeping.keep_as_shape_keys(animation_of(addon, obj, take)))
    for frame in (1, 3, 5):
        np.testing.assert_allclose(shown(obj, frame), take[frame - 1], atol=1e-5)
    keeping.remove_animation(obj)
    assert state_of(animation)[:4] == before
    for frame, there in zip(FRAMES, looked, strict=True):
        np.testing.assert_allclose(shown(obj, frame), there, atol=1e-5)
