"""Rigs that keys cannot be made for: one sentence each, and nothing is changed."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.rigged_bodies import animation_of, body_rig, dance, keep, refused, skinned_cloud
from addon.shapes import ball, shown


def no_armature(obj, armature):
    obj.modifiers.clear()
    obj.parent = None


def no_weights(obj, armature):
    obj.vertex_groups.clear()


def zero_weights(obj, armature):
    for group in obj.vertex_groups:
        group.remove(range(len(obj.data.vertices)))


def weights_of_gone_bones(obj, armature):
    for group in obj.vertex_groups:
        group.name = f"old {group.name}"


def several_armatures(obj, armature):
    other = bpy.data.objects.new("Other", bpy.data.armatures.new("Other"))
    obj.modifiers.new("Second", "ARMATURE").object = other


def envelopes(obj, armature):
    obj.modifiers[0].use_bone_envelopes = True


def multiplied_envelopes(obj, armature):
    armature.data.bones["spine"].use_envelope_multiply = True


def mixed_modifiers(obj, armature):
    obj.modifiers[0].use_multi_modifier = True


def rest_position(obj, armature):
    armature.data.pose_position = "REST"


def flat_armature(obj, armature):
    armature.scale = (1, 1, 0)


def uneven_pose(obj, armature):
    armature.pose.bones["spine"].scale = (1, 2, 1)


def locked_bones(obj, armature):
    for pose in armature.pose.bones:
        pose.lock_rotation = pose.lock_location = (True, True, True)


def animated_shape_keys(obj, armature):
    obj.shape_key_add(name="Basis")
    key = obj.shape_key_add(name="Smile")
    for frame in (1, 5):
        key.value = frame / 5
        key.keyframe_insert("value", frame=frame)


def driven_shape_keys(obj, armature):
    obj.shape_key_add(name="Basis")
    obj.shape_key_add(name="Smile").driver_add("value").driver.expression = "0.5"


def moving_apart(obj, armature):
    obj.parent = None
    for frame in (1, 8):
        obj.location.x = frame
        obj.keyframe_insert("location", frame=frame)


def linked_bones(obj, armature):
    path = bpy.app.tempdir + "linked.blend"
    bpy.data.libraries.write(path, {armature.data})
    name = armature.data.name
    with bpy.data.libraries.load(path, link=True) as (_, here):
        here.armatures = [name]
    armature.data = here.armatures[0]


CASES = {
    no_armature: ("no-armature", "has no armature"),
    no_weights: ("rig-without-weights", "no vertex groups"),
    zero_weights: ("rig-without-weights", "No vertex has a weight"),
    weights_of_gone_bones: ("rig-without-weights", "old hips"),
    several_armatures: ("several-armatures", "2 armatures"),
    envelopes: ("rig-envelopes", "envelopes"),
    multiplied_envelopes: ("rig-envelopes", "envelopes"),
    mixed_modifiers: ("rig-multi", "Multi Modifier"),
    rest_position: ("rig-resting", "rest position"),
    flat_armature: ("object-flat", "scaled to zero"),
    uneven_pose: ("rig-scaled", "spine"),
    locked_bones: ("rig-locked", "locked"),
    animated_shape_keys: ("rig-shape-keys", "Smile"),
    driven_shape_keys: ("rig-shape-keys", "Smile"),
    moving_apart: ("rig-moves-apart", "against each other"),
    linked_bones: ("linked-object", "linked"),
}


@pytest.mark.parametrize("spoil", CASES, ids=lambda spoil: spoil.__name__)
def test_it_is_refused_in_a_sentence_and_nothing_is_changed(addon, spoil):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    animation = animation_of(addon, obj, positions)
    spoil(obj, armature)
    bpy.context.view_layer.update()
    before = shown(obj, 1)
    constraints = [len(pose.constraints) for pose in armature.pose.bones]
    with refused() as error:
        keep(addon, [animation])
    code, words = CASES[spoil]
    assert error.value.code == code and words in error.value.sentence and error.value.hint
    assert error.value.sentence.endswith(".") and error.value.sentence.count("\n") == 0
    np.testing.assert_allclose(shown(obj, 1), before, atol=1e-6)
    assert armature.animation_data is None or armature.animation_data.action is None
    assert constraints == [len(pose.constraints) for pose in armature.pose.bones]
    assert not addon("scene.playing.keeping").is_kept(obj)


def test_what_is_refused_later_is_refused_before_the_job_where_it_can_be_seen(addon):
    check = addon("scene.rigging.own_rig").check_has_own_rig
    with refused(match="has no armature"):
        check(ball())
    obj, armature = body_rig()
    check(obj)
    uneven_pose(obj, armature)
    rest_position(obj, armature)
    with refused(match="rest position"):
        check(obj)


def test_library_overrides_and_linked_objects_are_refused(addon, tmp_path):
    obj, armature = body_rig()
    positions = dance(armature, obj)
    topology = addon("scene.reading.mesh_reading").topology_of(obj.data)
    path = str(tmp_path / "rig.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (there, here):
        here.objects = list(there.objects)
    for each in here.objects:
        bpy.context.scene.collection.objects.link(each)
    body = next(each for each in here.objects if each.name == "Body")
    animation = animation_of(addon, body, positions)
    assert animation.topology == topology
    with refused() as error:
        keep(addon, [animation])
    assert error.value.code == "linked-object"
    body = body.override_create(remap_local_usages=True)
    rig = bpy.data.objects["Rig", path].override_create(remap_local_usages=True)
    with refused(match="'Body' is a library override") as error:
        keep(addon, [animation_of(addon, body, positions)])
    own = bpy.data.objects.new("Own", body.data.copy())  # of this file, on an armature that is an override
    bpy.context.scene.collection.objects.link(own)
    own.modifiers.new("Armature", "ARMATURE").object = rig
    for group in body.vertex_groups:
        own.vertex_groups.new(name=group.name)
    with refused(match="'Rig' is a library override") as error:
        keep(addon, [animation_of(addon, own, positions)])
    assert error.value.code == "linked-object" and "Make it local" in error.value.hint


def test_several_armatures_of_several_objects_are_kept_one_by_one(addon):
    first, armature = body_rig()
    other = bpy.data.objects.new("Other", armature.data.copy())
    bpy.context.scene.collection.objects.link(other)
    second = skinned_cloud(other)
    animations = [animation_of(addon, obj, dance(armature, obj)) for obj in (first, second)]
    with refused() as error:
        keep(addon, animations)
    assert error.value.code == "several-armatures" and "one by one" in error.value.hint


def test_loose_vertices_gone_groups_and_preserved_volume_are_told(addon):
    obj, armature = body_rig()
    obj.vertex_groups["tail"].name = "gone"
    obj.modifiers[0].use_deform_preserve_volume = True
    positions = dance(armature, obj, turn=0.1)
    kept = keep(addon, [animation_of(addon, obj, positions)])
    told = " ".join(kept.warnings)
    assert "no weights" in told and "'gone'" in told and "Preserve Volume" in told


def test_shape_keys_that_stand_still_stay_and_the_bones_do_the_rest(addon):
    obj, armature = body_rig()
    obj.shape_key_add(name="Basis")
    key = obj.shape_key_add(name="Fat")
    key.value = 0.5
    for point in key.data:
        point.co *= 1.2
    positions = dance(armature, obj)
    assert np.abs(positions[0] - np.array([vertex.co for vertex in obj.data.vertices])).max() > 1e-3
    keep(addon, [animation_of(addon, obj, positions)])
    for k in (0, 5):
        np.testing.assert_allclose(shown(obj, 1 + k), positions[k], atol=2e-3)
    assert key.value == 0.5 and not key.mute


def test_one_bone_is_enough(addon):
    obj, armature = body_rig()
    for group in list(obj.vertex_groups)[1:]:
        obj.vertex_groups.remove(group)
    obj.vertex_groups[0].add(range(len(obj.data.vertices)), 1.0, "REPLACE")
    positions = dance(armature, obj)
    keep(addon, [animation_of(addon, obj, positions)])
    for k in (0, 5):
        np.testing.assert_allclose(shown(obj, 1 + k), positions[k], atol=2e-3)
