"""Kept results leave what was there, tell what they changed, and can be taken off again."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.shapes import ball, finish, rest, shown
from addon.wobble import wobble

ROUNDING = 2e-6


@pytest.fixture
def animated(addon):
    """animated(obj, frames, start) is a finished animation of the object, from its pose on."""

    def make(obj, frames=4, start=1):
        module, reading = addon("scene.playing.animation"), addon("scene.reading.joining").read_objects([obj], start)
        (member,) = reading.members
        return module.Animation(
            target=member.target,
            topology=member.topology,
            positions=wobble(member.share.own(reading.mesh.positions), frames),
            timing=addon("scene.playing.timing").Timing(start, 1, frames),
            frame_numbers=np.arange(frames),
            fps=24.0,
            view=None,
            report={},
        )

    return make


def posed_by_armature(obj):
    """An armature whose one bone turns by a right angle between the frames 1 and 11."""
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bone = armature.data.edit_bones.new("Bone")
    bone.head, bone.tail = (0, 0, 0), (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    bone = armature.pose.bones["Bone"]
    bone.rotation_mode = "XYZ"
    for frame, angle in ((1, 0.2), (11, 1.5)):
        bone.rotation_euler.x = angle
        bone.keyframe_insert("rotation_euler", frame=frame)
    group = obj.vertex_groups.new(name="Bone")
    group.add(range(len(obj.data.vertices) // 2), 1.0, "REPLACE")
    obj.modifiers.new("Armature", "ARMATURE").object = armature
    obj.parent = armature
    bpy.context.view_layer.objects.active = obj
    return armature


def keep(addon, animation, kind, tmp_path):
    if kind == "shape keys":
        finish(addon("scene.playing.keeping").keep_as_shape_keys(animation))
    else:
        addon("scene.playing.keeping").keep_as_point_cache(animation, tmp_path)


@pytest.mark.parametrize("kind", ["shape keys", "point cache"])
def test_a_rigged_mesh_begins_in_its_pose_at_the_start_frame_and_is_not_posed_twice(addon, animated, tmp_path, kind):
    obj = ball()
    posed_by_armature(obj)
    bpy.context.scene.frame_set(3)
    animation = animated(obj, start=7)
    assert bpy.context.scene.frame_current == 3
    np.testing.assert_allclose(animation.positions[0], shown(obj, 7), atol=ROUNDING)
    assert np.abs(animation.positions[0] - shown(obj, 3)).max() > 0.1
    keep(addon, animation, kind, tmp_path)
    for index in range(4):
        np.testing.assert_allclose(shown(obj, 7 + index), animation.positions[index], atol=ROUNDING)
    assert obj.modifiers["Armature"].object is not None and obj.parent is not None
    assert [group.name for group in obj.vertex_groups] == ["Bone"]


@pytest.mark.parametrize("kind", ["shape keys", "point cache"])
def test_removing_an_animation_brings_back_what_was_there(addon, animated, tmp_path, kind):
    obj = ball()
    posed_by_armature(obj)
    before = [shown(obj, frame) for frame in (1, 5, 11)]
    keep(addon, animated(obj), kind, tmp_path)
    assert np.abs(shown(obj, 4) - before[0]).max() > 0.1
    assert bpy.ops.motion324.remove_animation() == {"FINISHED"}
    for frame, expected in zip((1, 5, 11), before, strict=True):
        np.testing.assert_array_equal(shown(obj, frame), expected)
    assert obj.data.shape_keys is None and [m.name for m in obj.modifiers] == ["Armature"]
    assert not [name for name in dict(obj) if name.startswith("motion324")]
    assert not bpy.ops.motion324.remove_animation.poll()


def own_motion(obj):
    """A shape key of the artist's, which comes and goes."""
    obj.shape_key_add(name="Basis", from_mix=False)
    smile = obj.shape_key_add(name="Smile", from_mix=False)
    smile.data.foreach_set("co", (rest(obj) * 1.5).astype(np.float32).ravel())
    for frame, value in ((1, 0.0), (5, 0.4), (9, 0.1)):
        smile.value = value
        smile.keyframe_insert("value", frame=frame)


@pytest.mark.parametrize("has_own_motion", [False, True])
@pytest.mark.parametrize("second", ["shape keys", "point cache"])
@pytest.mark.parametrize("first", ["shape keys", "point cache"])
def test_a_second_kept_take_replaces_the_first(addon, animated, tmp_path, first, second, has_own_motion):
    obj = ball()
    if has_own_motion:
        own_motion(obj)
    posed_by_armature(obj)
    before = [shown(obj, frame) for frame in (1, 4, 8.5)]
    keep(addon, animated(obj, frames=9), first, tmp_path)
    again = animated(obj, frames=6, start=3)
    again.positions[1:, :, 2] *= 0.7  # another take
    keep(addon, again, second, tmp_path)
    for index in range(5):
        np.testing.assert_allclose(shown(obj, 3 + index), again.positions[index], atol=ROUNDING)
        between = (again.positions[index] + again.positions[index + 1]) / 2
        wobbling = second == "shape keys" and has_own_motion  # whose keys follow curves of their own between frames
        np.testing.assert_allclose(shown(obj, 3.5 + index), between, atol=0.02 if wobbling else ROUNDING)
    keys = [key.name for key in obj.data.shape_keys.key_blocks] if obj.data.shape_keys else []
    own = ["Basis", "Smile"] if has_own_motion else ["Basis"] * (second == "shape keys")
    assert keys == own + [f"Motion324 {n:04d}" for n in range(1, 7)] * (second == "shape keys")
    caches = ["Motion324"] if second == "point cache" else []
    assert [modifier.name for modifier in obj.modifiers] == ["Armature", *caches]
    assert len(bpy.data.actions) == 1 + bool(keys)
    assert list(obj["motion324_frames"]) == [3, 8]
    bpy.ops.motion324.remove_animation()
    for frame, expected in zip((1, 4, 8.5), before, strict=True):
        np.testing.assert_array_equal(shown(obj, frame), expected)


def test_a_second_take_that_is_stopped_leaves_the_first(addon, animated, tmp_path):
    obj = ball()
    own_motion(obj)
    keep(addon, animated(obj, frames=5), "shape keys", tmp_path)
    before = [shown(obj, frame) for frame in (1, 2.5, 5)]
    names = [key.name for key in obj.data.shape_keys.key_blocks]
    again = animated(obj, frames=4)
    keeping = addon("scene.playing.keeping")
    for steps in (
        keeping.keep_as_shape_keys(again),
        keeping.keep_all_as_point_caches([again], [tmp_path / "again.pc2"]),
    ):
        next(steps)
        steps.close()
        for frame, expected in zip((1, 2.5, 5), before, strict=True):
            np.testing.assert_array_equal(shown(obj, frame), expected)
        assert [key.name for key in obj.data.shape_keys.key_blocks] == names and not obj.modifiers
        assert not any(key.mute for key in obj.data.shape_keys.key_blocks)


def test_a_cache_on_a_mesh_that_others_show_leaves_them_their_animation(addon, animated, tmp_path):
    obj = ball()
    keep(addon, animated(obj), "shape keys", tmp_path)
    twin = bpy.data.objects.new("Twin", obj.data)
    bpy.context.scene.collection.objects.link(twin)
    before = shown(twin, 3)
    again = animated(obj)
    again.positions[1:] *= 0.5
    keep(addon, again, "point cache", tmp_path)
    np.testing.assert_array_equal(shown(twin, 3), before)
    np.testing.assert_allclose(shown(obj, 3), again.positions[2], atol=ROUNDING)


def test_removing_leaves_the_shape_keys_of_others_and_their_motion(addon, animated):
    obj = ball()
    obj.shape_key_add(name="Basis", from_mix=False)
    own = obj.shape_key_add(name="Motion324 by hand", from_mix=False)
    own.data.foreach_set("co", (rest(obj) * 2).astype(np.float32).ravel())
    for frame in (1, 9):
        own.value = frame / 10
        own.keyframe_insert("value", frame=frame)
    before = shown(obj, 4)
    finish(addon("scene.playing.keeping").keep_as_shape_keys(animated(obj)))
    assert len(obj.data.shape_keys.key_blocks) == 6
    bpy.ops.motion324.remove_animation()
    assert [key.name for key in obj.data.shape_keys.key_blocks] == ["Basis", "Motion324 by hand"]
    np.testing.assert_array_equal(shown(obj, 4), before)


@pytest.mark.parametrize("kind", ["shape keys", "point cache"])
def test_subdivision_applies_on_top_of_the_animated_mesh(addon, animated, tmp_path, kind):
    obj = ball()
    obj.modifiers.new("Subdivision", "SUBSURF").levels = 1
    plain = obj.copy()
    plain.data = obj.data.copy()
    bpy.context.scene.collection.objects.link(plain)
    animation = animated(obj)
    assert animation.positions.shape[1] == len(obj.data.vertices)
    keep(addon, animation, kind, tmp_path)
    found = shown(obj, 3)
    plain.data.vertices.foreach_set("co", animation.positions[2].ravel())
    plain.data.update()
    np.testing.assert_allclose(found, shown(plain), atol=ROUNDING)


def test_materials_uvs_groups_and_place_stay(addon, animated, tmp_path):
    obj = ball()
    obj.data.materials.append(bpy.data.materials.new("Skin"))
    obj.vertex_groups.new(name="Half").add(range(40), 0.5, "REPLACE")
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.scene.collection.objects.link(parent)
    obj.parent, obj.location = parent, (1, 2, 3)
    obj.modifiers.new("Edges", "EDGE_SPLIT")

    def state():
        uv = np.empty(2 * len(obj.data.loops), np.float32)
        obj.data.uv_layers[0].uv.foreach_get("vector", uv)
        groups = [(g.group, g.weight) for vertex in obj.data.vertices for g in vertex.groups]
        faces = [tuple(face.vertices) for face in obj.data.polygons]
        slots = [slot.name for slot in obj.material_slots]
        return uv.tolist(), groups, faces, slots, obj.parent.name, tuple(obj.location), rest(obj).tolist()

    before = state()
    finish(addon("scene.playing.keeping").keep_as_shape_keys(animated(obj)))
    assert state() == before and [m.name for m in obj.modifiers] == ["Edges"]


def test_what_modifiers_make_wrong_is_refused_with_the_reason(addon):
    from motion324.core.errors import Motion324Error

    read = addon("scene.reading.joining").read_objects
    obj = ball()
    obj.modifiers.new("Array", "ARRAY")
    with pytest.raises(
        Motion324Error, match=r"only a part of what the object shows: its modifiers 'Array' add the rest"
    ):
        read([obj])
    obj.modifiers.clear()
    obj.modifiers.new("Subdivision", "SUBSURF")
    posed_by_armature(obj)
    with pytest.raises(Motion324Error, match=r"'Armature' poses 'Ball' after 'Subdivision'.*Move 'Armature' above"):
        read([obj], 11)
    obj.modifiers.move(1, 0)
    assert len(read([obj], 11).mesh.positions) == len(obj.data.vertices)
    assert all(modifier.show_viewport for modifier in obj.modifiers)


def test_a_subdivided_cube_and_thin_shells_are_no_reason_to_refuse(addon):
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    cube.modifiers.new("Subdivision", "SUBSURF").levels = 3
    cube.modifiers.new("Shell", "SOLIDIFY").thickness = 0.02
    cube.modifiers.new("Smooth", "SMOOTH")
    assert addon("scene.reading.joining").read_objects([cube]).warnings == ()


def test_a_motion_of_the_object_itself_is_told(addon):
    obj = ball()
    posed_by_armature(obj)  # moves bones, and no object
    assert addon("scene.reading.joining").read_objects([obj]).warnings == ()
    obj.keyframe_insert("location", frame=1)
    (warning,) = addon("scene.reading.joining").read_objects([obj]).warnings
    assert warning == "'Ball' has a motion of its own, which stays and is added to the motion from the video."


def test_a_parent_that_deforms_without_a_modifier_is_no_reason_against_a_point_cache(addon, animated, tmp_path):
    from motion324.core.errors import Motion324Error

    obj = ball()
    posed_by_armature(obj)
    obj.modifiers.clear()
    obj.parent_type = "ARMATURE"
    bpy.context.view_layer.update()
    animation = animated(obj, start=7)
    with pytest.raises(Motion324Error, match=r"'Ball' is deformed by its parent 'Rig'.*or keep a point cache"):
        keep(addon, animation, "shape keys", tmp_path)
    assert obj.data.shape_keys is None
    keep(addon, animation, "point cache", tmp_path)
    np.testing.assert_allclose(shown(obj, 9), animation.positions[2], atol=ROUNDING)


def test_an_object_that_shares_its_mesh_is_offered_a_copy_of_its_own(addon, backend, video):
    obj = ball()
    twin = obj.copy()
    bpy.context.scene.collection.objects.link(twin)
    twin.select_set(False)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.motion324.animate(video=str(video(frames=4)))
    with pytest.raises(RuntimeError, match=r"'Ball' shares its mesh with 1 other user\. Make it single-user"):
        bpy.ops.motion324.keep_shape_keys()
    assert obj.data == twin.data and obj.data.shape_keys is None
    assert bpy.ops.motion324.keep_shape_keys("EXEC_DEFAULT", True, single_user=True) == {"FINISHED"}
    obj, twin = bpy.data.objects["Ball"], bpy.data.objects["Ball.001"]
    assert obj.data != twin.data and len(obj.data.shape_keys.key_blocks) == 5 and twin.data.shape_keys is None
    assert not addon("job.runner").runner.results
    bpy.ops.ed.undo()
    obj, twin = bpy.data.objects["Ball"], bpy.data.objects["Ball.001"]
    assert obj.data == twin.data and obj.data.shape_keys is None


def test_shape_keys_on_a_shared_mesh_are_refused_before_the_job_or_allowed_by_an_option(addon, backend, video):
    obj = ball()
    twin = obj.copy()
    with pytest.raises(RuntimeError, match="shares its mesh with 1 other user"):
        bpy.ops.motion324.animate(video=str(video(do="die")), keep="SHAPE_KEYS")
    assert bpy.ops.motion324.animate(video=str(video(frames=2)), keep="SHAPE_KEYS", single_user=True) == {"FINISHED"}
    assert len(obj.data.shape_keys.key_blocks) == 3 and twin.data.shape_keys is None


def test_make_single_user_copies_shared_meshes_and_undo_takes_it_back(addon):
    obj = ball()
    twin = obj.copy()
    bpy.context.scene.collection.objects.link(twin)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.motion324.make_single_user("EXEC_DEFAULT", True) == {"FINISHED"}
    assert bpy.data.objects["Ball"].data != bpy.data.objects["Ball.001"].data
    assert not bpy.ops.motion324.make_single_user.poll()
    bpy.ops.ed.undo()
    assert bpy.data.objects["Ball"].data == bpy.data.objects["Ball.001"].data


def test_a_stopped_bake_of_a_copy_gives_the_shared_mesh_back(addon, animated):
    obj = ball()
    shared = obj.data
    twin = obj.copy()
    steps = addon("scene.playing.keeping").keep_as_shape_keys(animated(obj), copy_shared=True)
    next(steps)
    assert obj.data != shared
    steps.close()
    assert obj.data == shared == twin.data and len(bpy.data.meshes) == 1


@pytest.fixture
def library(addon, tmp_path):
    """A .blend with a ball in it, in a collection."""
    obj = ball()
    collection = bpy.data.collections.new("Balls")
    bpy.context.scene.collection.children.link(collection)
    collection.objects.link(obj)
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return path


def test_a_linked_object_and_an_override_are_refused_with_the_reason(addon, library):
    from motion324.core.errors import Motion324Error

    read = addon("scene.reading.joining").read_objects
    with bpy.data.libraries.load(str(library), link=True) as (there, here):
        here.objects = there.objects
    (linked,) = here.objects
    bpy.context.scene.collection.objects.link(linked)
    with pytest.raises(Motion324Error, match=r"'Ball' is linked from '.*library.blend'.*Make it local"):
        read([linked])
    override = linked.override_create(remap_local_usages=True)
    with pytest.raises(Motion324Error, match="'Ball' is a library override"):
        read([override])


def test_an_object_with_a_linked_mesh_keeps_caches_and_after_a_copy_shape_keys(
    addon, backend, video, animated, library, tmp_path
):
    with bpy.data.libraries.load(str(library), link=True) as (there, here):
        here.meshes = there.meshes
    obj = bpy.data.objects.new("Local", here.meshes[0])
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    animation = animated(obj)
    keep(addon, animation, "point cache", tmp_path)
    np.testing.assert_allclose(shown(obj, 3), animation.positions[2], atol=ROUNDING)
    assert bpy.ops.motion324.remove_animation() == {"FINISHED"}
    bpy.ops.motion324.animate(video=str(video(frames=4)))
    with pytest.raises(RuntimeError, match=r"'Local' has a mesh that is linked from '.*library.blend'"):
        bpy.ops.motion324.keep_shape_keys()
    bpy.ops.motion324.keep_shape_keys(single_user=True)
    assert obj.data.library is None
    np.testing.assert_allclose(shown(obj, 3), animation.positions[2], atol=ROUNDING)


def test_undo_takes_a_kept_point_cache_back_in_one_step(addon, backend, video, tmp_path):
    obj = ball()
    before = rest(obj)
    bpy.ops.motion324.animate(video=str(video(frames=4)))
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.motion324.keep_point_cache("EXEC_DEFAULT", True, folder=str(tmp_path))
    assert len(bpy.data.objects["Ball"].modifiers) == 1
    bpy.ops.ed.undo()
    obj = bpy.data.objects["Ball"]
    assert not obj.modifiers and "motion324_frames" not in obj
    np.testing.assert_array_equal(shown(obj, 3), before)


@pytest.mark.parametrize("loses", ["nothing", "its note"])
@pytest.mark.parametrize("second", ["shape keys", "point cache"])
@pytest.mark.parametrize("first", ["shape keys", "point cache"])
def test_nothing_of_a_longer_take_plays_behind_the_end_of_a_shorter_one(
    addon, animated, tmp_path, first, second, loses
):
    """loses: a mesh that came back from an export, or that was given to another object, has the keys without a note."""
    obj = ball()
    keep(addon, animated(obj, frames=12), first, tmp_path)
    if loses == "its note":
        for name in [name for name in dict(obj) if name.startswith("motion324")]:
            del obj[name]
    again = animated(obj, frames=4)
    again.positions[1:, :, 2] *= 0.7  # another take
    keep(addon, again, second, tmp_path)
    for frame in range(1, 15):
        np.testing.assert_allclose(shown(obj, frame), again.positions[min(frame, 4) - 1], atol=ROUNDING)
    assert len(obj.modifiers) == (second == "point cache")


def test_taking_keys_off_a_copied_mesh_leaves_no_keys_without_a_mesh(addon, animated, tmp_path):
    """Blender counts the keys of a mesh that Python copied twice; left over, each save would report them."""
    obj = ball()
    keep(addon, animated(obj), "shape keys", tmp_path)
    obj.data = obj.data.copy()
    bpy.ops.motion324.remove_animation()
    assert obj.data.shape_keys is None
    assert [keys.user.shape_keys == keys for keys in bpy.data.shape_keys] == [True]  # that of the mesh before
    assert bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend")) == {"FINISHED"}


@pytest.mark.parametrize("how", ["driver", "keys", "strip"])
def test_modifiers_that_drivers_or_keys_switch_on_stay_off_while_an_animation_takes_their_place(addon, animated, how):
    obj = ball()
    obj.modifiers.new("Wave", "WAVE").height = 0.5
    obj.modifiers.new("Smoother", "SUBSURF")

    def switches():
        return [(modifier.show_viewport, modifier.show_render) for modifier in obj.modifiers]

    for modifier in obj.modifiers:
        if how == "driver":
            obj.driver_add(f'modifiers["{modifier.name}"].show_viewport').driver.expression = "frame > 2"
        else:
            for frame in (1, 3):
                modifier.show_viewport = frame > 2
                modifier.keyframe_insert("show_viewport", frame=frame)
    if how == "strip":
        action, obj.animation_data.action = obj.animation_data.action, None
        obj.animation_data.nla_tracks.new().strips.new("Strip", 1, action)
    bpy.context.scene.frame_set(3)
    before, posed = switches(), shown(obj, 3)
    assert before[0][0] and before[1][0] and len(posed) > len(obj.data.vertices)
    animation = animated(obj, start=3)
    np.testing.assert_allclose(animation.positions[0], shown_without(addon, obj, 3), atol=1e-6)
    assert np.abs(animation.positions[0] - rest(obj)).max() > 0.1
    for _ in addon("scene.playing.keeping").keep_as_shape_keys(animation):
        pass
    samples = dict(addon("scene.exporting.sampling").sample_positions(obj, 3, 6))
    for index in range(4):
        np.testing.assert_allclose(samples[index + 3], animation.positions[index], atol=1e-6)
    bpy.context.scene.frame_set(3)
    assert switches() == [(False, False), before[1]]
    addon("scene.playing.keeping").remove_animation(obj)
    bpy.context.scene.frame_set(3)
    assert switches() == before
    np.testing.assert_allclose(shown(obj, 3), posed, atol=1e-6)


def shown_without(addon, obj, frame):
    """What the object shows in a frame before modifiers change its topology."""
    ((_, positions),) = addon("scene.exporting.sampling").positions_at(obj, [frame])
    return positions
