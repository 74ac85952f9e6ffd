"""Results on bones by the operators: kept by a keyword, by a button's operator, undone, refused."""

from __future__ import annotations

import os

import bpy
import numpy as np
import pytest
from addon.rigged_bodies import body_rig, curves_of, dance, swell
from addon.shapes import ball, shown


@pytest.fixture
def dancing(addon, backend, video, tmp_path):
    """A rigged object, its armature, the video after which it dances, and where its vertices then are."""
    obj, armature = body_rig()
    positions = dance(armature, obj)
    np.save(tmp_path / "dance.npy", positions)
    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj
    return obj, armature, str(video(trajectory=str(tmp_path / "dance.npy"))), positions


def check_shown(obj, positions):
    size = np.ptp(positions[0], axis=0).max()
    for k, expected in enumerate(positions):
        assert np.linalg.norm(shown(obj, 1 + k) - expected, axis=1).mean() < 1e-3 * size


def test_animate_keeps_the_result_on_the_armature(addon, dancing):
    obj, armature, video, positions = dancing
    assert bpy.ops.motion324.animate(video=video, keep="ARMATURE", start_frame=1) == {"FINISHED"}
    check_shown(obj, positions)
    assert armature.animation_data.action is not None
    assert not addon("job.runner").runner.animations
    assert bpy.ops.motion324.remove_animation() == {"FINISHED"}
    assert armature.animation_data.action is None
    np.testing.assert_allclose(shown(obj, 8), positions[0], atol=1e-4)


def test_a_result_that_waits_is_kept_on_the_armature_or_refused(addon, dancing):
    obj, armature, video, positions = dancing
    bpy.ops.motion324.animate(video=video, start_frame=1)
    obj.modifiers["Armature"].use_bone_envelopes = True
    with pytest.raises(RuntimeError, match="envelopes"):
        bpy.ops.motion324.keep_armature()
    assert addon("job.runner").runner.animations and armature.animation_data is None
    obj.modifiers["Armature"].use_bone_envelopes = False
    assert bpy.ops.motion324.keep_armature(locations="root", to_nla=True) == {"FINISHED"}
    check_shown(obj, positions)
    assert armature.animation_data.nla_tracks and not addon("job.runner").runner.animations


@pytest.mark.parametrize("asked", ["script", "panel", "at once", ""])
def test_bones_scale_where_that_is_asked_for(addon, backend, video, tmp_path, asked):
    obj, armature = body_rig()
    positions, _ = swell(armature, obj)
    np.save(tmp_path / "swell.npy", positions)
    obj.select_set(True)
    clip = str(video(trajectory=str(tmp_path / "swell.npy")))
    bpy.context.scene.motion324_rig.scale = asked in ("panel", "at once")
    if asked == "at once":
        assert bpy.ops.motion324.animate(video=clip, keep="ARMATURE", start_frame=1) == {"FINISHED"}
    else:
        bpy.ops.motion324.animate(video=clip, start_frame=1)
        more = {"scale": True} if asked == "script" else {}
        assert bpy.ops.motion324.keep_armature(**more) == {"FINISHED"}
    scaled = [path for path in curves_of(addon, armature) if path.endswith(".scale")]
    assert bool(scaled) == bool(asked)
    if asked:
        check_shown(obj, positions)
    bpy.ops.motion324.remove_animation()
    assert all(tuple(bone.scale) == (1, 1, 1) for bone in armature.pose.bones)


@pytest.mark.parametrize("to_nla", [False, True])
def test_one_undo_brings_the_rig_back_as_it_was(addon, dancing, to_nla):
    obj, armature, video, positions = dancing
    follow = armature.pose.bones["tail"].constraints.new("COPY_ROTATION")
    follow.target, follow.subtarget, follow.influence = armature, "arm.R", 0.0
    armature.pose.bones["head"].keyframe_insert("rotation_euler", frame=1)
    before, runner = armature.animation_data.action.name, addon("job.runner").runner
    bpy.ops.motion324.animate(video=video, start_frame=1)
    bpy.ops.ed.undo_push(message="animated")
    bpy.ops.motion324.keep_armature(to_nla=to_nla)
    bpy.ops.ed.undo_push(message="kept")
    assert follow.mute and not runner.results
    check_shown(obj, positions)
    bpy.ops.ed.undo()
    armature = bpy.data.objects["Rig"]
    assert armature.animation_data.action.name == before and not armature.animation_data.nla_tracks
    assert not armature.pose.bones["tail"].constraints[0].mute and len(runner.results) == 1
    assert [action.name for action in bpy.data.actions] == [before]


def test_an_object_without_a_rig_is_refused_before_the_job(addon, backend, video):
    bpy.context.view_layer.objects.active = ball()
    with pytest.raises(RuntimeError, match="has no armature"):
        bpy.ops.motion324.animate(video=str(video(frames=2)), keep="ARMATURE")
    assert not addon("job.runner").runner.animations


def test_buttons_say_why_bones_cannot_be_kept(addon, dancing):
    obj, _, video, _ = dancing
    bpy.ops.motion324.animate(video=video, start_frame=1)
    readiness = addon("ui.readiness")
    animations = addon("job.runner").runner.animations
    assert readiness.reason_against_bones("ARMATURE", animations) == ""
    assert "deformed" in readiness.reason_against_bones("RIG", animations)
    obj.modifiers.clear()
    assert "no armature" in readiness.reason_against_bones("ARMATURE", animations)


def test_a_chosen_armature_is_taken_where_nothing_binds_the_mesh(addon, dancing):
    obj, armature, video, positions = dancing
    obj.modifiers.clear()
    with pytest.raises(RuntimeError, match="has no armature"):
        bpy.ops.motion324.animate(video=video, keep="ARMATURE", start_frame=1)
    bpy.context.scene.motion324_rig.armature = armature.name
    assert bpy.ops.motion324.animate(video=video, keep="ARMATURE", start_frame=1) == {"FINISHED"}
    check_shown(obj, positions)
    assert bpy.ops.motion324.remove_animation() == {"FINISHED"} and not obj.modifiers
    bpy.context.scene.motion324_rig.armature = ""
    bpy.ops.motion324.animate(video=video, start_frame=1)
    assert bpy.ops.motion324.keep_armature(armature=armature.name) == {"FINISHED"}
    check_shown(obj, positions)


def test_keeping_steps_can_be_stopped_without_a_trace(addon, dancing):
    _, armature, video, _ = dancing
    bpy.ops.motion324.animate(video=video, start_frame=1)
    runner = addon("job.runner").runner
    bones = addon("job.keeping_bones")
    settings = addon("settings.rig_settings").of_scene(bpy.context.scene)
    steps = bones.keep(runner.waiting(), bones.Wish("ARMATURE", settings, addon("settings.preferences").connection()))
    next(steps)
    next(steps)
    steps.close()
    assert armature.animation_data is None and runner.animations


def test_what_was_kept_on_bones_becomes_shape_keys_and_leaves_no_keys_on_them(addon, dancing):
    """Else Push to NLA would take the bones' action, and the armature would go on dancing beside the mesh."""
    obj, armature, video, positions = dancing
    bpy.ops.motion324.animate(video=video, start_frame=1, keep="ARMATURE")
    assert addon("scene.playing.keeping").keyed_data(obj) == armature
    assert bpy.ops.motion324.keep_shape_keys(object_name=obj.name) == {"FINISHED"}
    check_shown(obj, positions)
    assert addon("scene.playing.keeping").keyed_data(obj) == obj.data.shape_keys
    assert armature.animation_data is None or armature.animation_data.action is None
    assert not any(modifier.show_viewport for modifier in obj.modifiers)
    bpy.ops.motion324.remove_animation()
    assert obj.data.shape_keys is None and all(modifier.show_viewport for modifier in obj.modifiers)
    assert not addon("scene.playing.keeping").is_kept(obj)


def test_bones_by_which_another_object_still_moves_keep_their_keys(addon, dancing):
    obj, armature, video, positions = dancing
    other = obj.copy()
    other.data = obj.data.copy()
    bpy.context.scene.collection.objects.link(other)
    other.select_set(False)
    bpy.ops.motion324.animate(video=video, start_frame=1, keep="ARMATURE")
    other["motion324_put_back"], other["motion324_frames"] = obj["motion324_put_back"], list(obj["motion324_frames"])
    bpy.ops.motion324.keep_shape_keys(object_name=obj.name)
    check_shown(obj, positions)
    check_shown(other, positions)
    assert armature.animation_data.action is not None


@pytest.mark.skipif(not os.environ.get("MOTION324_TEST_BACKEND"), reason="needs the real backend: `make test` names it")
def test_a_rig_is_made_from_the_motion(addon, dancing, monkeypatch):
    obj, _, video, positions = dancing
    bpy.ops.motion324.animate(video=video, start_frame=1)
    obj.modifiers.clear()  # a plain mesh, as far as Blender knows
    obj.parent = None
    addon("job.backend").stop()
    monkeypatch.setenv("MOTION324_BACKEND_PYTHON", os.environ["MOTION324_TEST_BACKEND"])
    try:
        assert bpy.ops.motion324.keep_rig(influences=2, tolerance=1.0) == {"FINISHED"}
    finally:
        addon("job.backend").stop()
    made = bpy.data.objects["Body Rig"]
    size = np.ptp(positions[0], axis=0).max()
    apart = [np.linalg.norm(shown(obj, 1 + k) - each, axis=1).mean() for k, each in enumerate(positions)]
    assert np.mean(apart) < 0.01 * size
    assert 3 <= len(made.data.bones) <= 12 and made.data.bones[0].name == "root"
    assert max(len(vertex.groups) for vertex in obj.data.vertices) <= 2 + 7  # and those that it had
    assert bpy.ops.motion324.keep_shape_keys(object_name=obj.name) == {"FINISHED"}
    assert "Body Rig" not in bpy.data.objects and not obj.modifiers and obj.data.shape_keys is not None
