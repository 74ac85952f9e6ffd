"""Corrections in Blender: pins are kept with the object, and Refine brings a new result from the old one."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from addon.shapes import SHIBA, ball, camera_at, rest, shown
from addon.wobble import wobble
from mathutils import Matrix, Vector

FRAMES = 8
ROUNDING = 1e-5


@pytest.fixture
def kept(backend, video):
    """A ball that lies somewhere, turned and scaled, with eight frames as shape keys."""
    obj = ball()
    obj.matrix_world = Matrix.Translation((3, -2, 1)) @ Matrix.Rotation(0.7, 4, "X") @ Matrix.Scale(0.5, 4)
    bpy.context.view_layer.update()
    assert bpy.ops.motion324.animate(video=str(video(frames=FRAMES)), keep="SHAPE_KEYS") == {"FINISHED"}
    return obj


def frames_of(obj) -> np.ndarray:
    return np.stack([shown(obj, 1 + k) for k in range(FRAMES)])


def asked(runner) -> dict:
    return runner.animations[0].report["asked"]


def test_a_dragged_pose_is_pinned_and_refined(addon, kept):
    before = frames_of(kept)
    bpy.context.scene.frame_set(4)
    assert bpy.ops.motion324.edit_pose() == {"FINISHED"}
    copy = bpy.context.object
    assert copy != kept and copy.select_get() and kept.hide_get()
    np.testing.assert_allclose(shown(copy), before[3], atol=ROUNDING)
    assert copy.data.shape_keys is None and kept.data.shape_keys is not None
    copy.data.vertices[5].co += Vector((0.0, 0.0, 0.3))
    assert bpy.ops.motion324.take_pose() == {"FINISHED"}
    assert bpy.context.object == kept and not kept.hide_get()
    assert "Ball Pose" not in bpy.data.objects and len(bpy.data.meshes) == 1
    assert [pin.kind for pin in kept.motion324_pins] == ["POSE"]
    assert bpy.ops.motion324.refine(keep="SHAPE_KEYS") == {"FINISHED"}
    wanted = before.copy()
    wanted[3, 5] += (0.0, 0.0, 0.3)
    np.testing.assert_allclose(frames_of(kept), wanted, atol=ROUNDING)


def test_a_pose_whose_copy_was_moved_as_a_whole_is_taken_where_it_lies(addon, kept):
    bpy.context.scene.frame_set(2)
    bpy.ops.motion324.edit_pose()
    copy = bpy.context.object
    before = [kept.matrix_world @ vertex.co for vertex in copy.data.vertices]
    copy.location += Vector((0.0, 0.4, 0.0))
    bpy.context.view_layer.update()
    assert bpy.ops.motion324.take_pose() == {"FINISHED"}
    name = kept.motion324_pins[0].attribute
    after = [kept.matrix_world @ Vector(each.vector) for each in kept.data.attributes[name].data]
    np.testing.assert_allclose(np.array(after) - np.array(before), [[0, 0.4, 0]] * len(after), atol=ROUNDING)


def test_a_copy_with_other_vertices_is_refused_and_stays(addon, kept):
    bpy.ops.motion324.edit_pose()
    copy = bpy.context.object
    copy.data.vertices.add(1)
    with pytest.raises(RuntimeError, match="other vertices or faces"):
        bpy.ops.motion324.take_pose()
    assert bpy.context.object == copy and not kept.motion324_pins
    assert bpy.ops.motion324.discard_pose() == {"FINISHED"}
    assert bpy.context.object == kept and not kept.hide_get()


def test_a_still_group_and_a_point_go_along_as_the_videos_frames(addon, kept):
    runner = addon("job.runner").runner
    group = kept.vertex_groups.new(name="Paw")
    group.add([3, 4, 9], 1.0, "REPLACE")
    group.add([10], 0.2, "REPLACE")
    assert bpy.ops.motion324.pin_still(first=2, last=5) == {"FINISHED"}
    assert bpy.ops.motion324.pin_point(vertex=7, at=(0.25, 0.75), frame=6) == {"FINISHED"}
    assert bpy.ops.motion324.pin_point(vertex=7, at=(0.5, 0.75), frame=6) == {"FINISHED"}  # in place of the first
    assert bpy.ops.motion324.refine() == {"FINISHED"}
    panel, source = addon("panels.correcting"), addon("job.motion_source").source_of(kept)
    listed = [panel.told(pin, source) for pin in kept.motion324_pins]
    assert listed == ["Paw: still, frames 2 to 5", "Vertex 7, frame 6"]  # of the scene, not of the video
    assert panel.scene_frame(99, source) == "-"
    assert asked(runner) == {
        "points": [{"frame": 5, "vertex": 7, "at": [0.5, 0.75]}],
        "still": [{"frames": [1, 4], "vertices": [3, 4, 9]}],
        "poses": [],
    }
    np.testing.assert_allclose(np.ptp(runner.animations[0].positions[1:5, [3, 4, 9]], axis=0), 0, atol=ROUNDING)


def test_a_group_stays_still_in_the_preview_range_or_where_that_is_anothers_over_all_frames(addon, kept):
    scene, pinning = bpy.context.scene, addon("operators.pinning")
    source = addon("job.motion_source").source_of(kept)
    assert pinning.frames_meant(scene, source) == (1, FRAMES)
    scene.use_preview_range = True
    scene.frame_preview_end, scene.frame_preview_start = 100, 5
    assert pinning.frames_meant(scene, source) == (5, FRAMES)
    scene.frame_preview_start = 60  # where another object was played
    assert pinning.frames_meant(scene, source) == (1, FRAMES)


def test_refine_starts_from_the_result_that_waits_and_takes_its_place(addon, kept):
    runner = addon("job.runner").runner
    base = wobble(rest(kept), FRAMES)
    bpy.context.scene.frame_set(3)
    bpy.ops.motion324.edit_pose()
    bpy.context.object.data.vertices[0].co += Vector((0.2, 0.0, 0.0))
    bpy.ops.motion324.take_pose()
    assert bpy.ops.motion324.refine() == {"FINISHED"}
    first = runner.animations[0].positions.copy()
    bpy.ops.motion324.remove_pin()
    assert not kept.motion324_pins and not [a for a in kept.data.attributes if a.name.startswith("motion324_pose")]
    bpy.context.scene.frame_set(6)
    bpy.ops.motion324.edit_pose()
    np.testing.assert_allclose(shown(bpy.context.object), first[5], atol=ROUNDING)
    bpy.context.object.data.vertices[1].co += Vector((0.2, 0.0, 0.0))
    bpy.ops.motion324.take_pose()
    assert bpy.ops.motion324.refine() == {"FINISHED"}
    (animation,) = runner.animations
    moved = np.abs(animation.positions - first).max(axis=2) > ROUNDING
    assert np.argwhere(moved).tolist() == [[5, 1]]
    assert np.abs(first[2, 0] - base[2, 0]).max() > 0.15


def test_an_object_that_was_moved_since_takes_its_camera_along(addon, kept):
    runner = addon("job.runner").runner
    bpy.ops.motion324.pin_point(vertex=7, at=(0.5, 0.5), frame=2)
    bpy.ops.motion324.refine()
    before = np.array(runner.animations[0].report["view"])
    kept.matrix_world = Matrix.Translation((9, 9, 9)) @ Matrix.Rotation(math.pi / 2, 4, "Z") @ kept.matrix_world
    bpy.context.view_layer.update()
    bpy.ops.motion324.refine()
    after = np.array(runner.animations[0].report["view"])
    turn = before.T @ after  # a quarter turn about the up axis, which is Y there
    np.testing.assert_allclose(np.abs(turn), [[0, 0, 1], [0, 1, 0], [1, 0, 0]], atol=1e-5)


def test_a_carried_view_sees_the_same_place_of_the_world(addon):
    from motion324.core.reference_mesh import Normalisation
    from motion324.core.view import look_at_origin

    correction = addon("job.correction")
    rng = np.random.default_rng(0)
    before = Normalisation(rng.normal(size=3), 0.7, "Z")
    now = Normalisation(rng.normal(size=3), 2.3, "Z")
    moved = np.array(Matrix.Translation((1, 2, 3)) @ Matrix.Rotation(0.8, 4, Vector((1, 2, 3)).normalized()))
    view = look_at_origin(40, 20, 3, 1.3)
    carried = correction.carried_view(view, before, now, moved)
    world = rng.normal(size=(9, 3)) * 0.3
    then = world @ np.linalg.inv(moved)[:3, :3].T + np.linalg.inv(moved)[:3, 3]
    pixels, _ = view.project(before.to_normalised(then).astype(float), 300, 400)
    again, _ = carried.project(now.to_normalised(world).astype(float), 300, 400)
    np.testing.assert_allclose(again, pixels, atol=0.05)
    np.testing.assert_allclose(carried.rotation @ carried.rotation.T, np.eye(3), atol=1e-6)


def test_the_place_of_a_vertex_in_the_picture_is_where_the_overlay_shows_it(addon, kept):
    """The overlay's camera and the pins' places are two ways to the same picture."""
    from bpy_extras.object_utils import world_to_camera_view

    picking, source_of = addon("scene.correcting.picking"), addon("job.motion_source").source_of
    note = addon("scene.playing.kept_note")
    kept[note.SOURCE] = kept[note.SOURCE].replace(str(source_of(kept).video), str(SHIBA))
    assert bpy.ops.motion324.overlay() == {"FINISHED"}
    scene = bpy.context.scene
    bpy.context.view_layer.update()
    source = source_of(kept)
    assert picking.is_overlay(scene.camera)
    for vertex in (0, 20, 40):
        point = kept.matrix_world @ Vector(shown(kept, 3)[vertex])
        seen = world_to_camera_view(scene, scene.camera, point)
        x, y = picking.place_in_picture(kept, source, np.array(point), 2)
        np.testing.assert_allclose([x, y], [seen.x, 1 - seen.y], atol=1e-4)


def test_the_vertex_under_the_mouse_is_the_one_in_front(addon):
    picking = addon("scene.correcting.picking")
    obj = ball(segments=32)
    camera = camera_at(0, 0)
    bpy.context.view_layer.update()
    size = (400, 300)
    matrix = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=size[0], y=size[1])
    matrix = matrix @ camera.matrix_world.inverted() @ obj.matrix_world
    pixels, depth = picking.in_region(rest(obj), matrix, size)
    front, back = 0, 0
    for vertex in range(len(pixels)):
        chosen = picking.picked(pixels, depth, tuple(pixels[vertex]))
        if rest(obj)[vertex, 1] < -0.7:
            assert chosen == vertex
            front += 1
        elif rest(obj)[vertex, 1] > 0.5:
            assert rest(obj)[chosen, 1] < 0  # never through the body
            back += 1
    assert front > 30 and back > 30
    assert picking.picked(pixels, depth, (2.0, 2.0)) is None
    assert picking.picked(pixels, np.full(len(depth), np.inf), tuple(pixels[0])) is None


def test_what_cannot_be_pinned_is_told(addon, kept):
    with pytest.raises(RuntimeError, match="no vertex 100000"):
        bpy.ops.motion324.pin_point(vertex=100000, at=(0.5, 0.5))
    with pytest.raises(RuntimeError, match="runs from 1 to 8"):
        bpy.ops.motion324.pin_point(vertex=1, at=(0.5, 0.5), frame=20)
    with pytest.raises(RuntimeError, match="Assign what stays still"):
        bpy.ops.motion324.pin_still(first=1, last=2)
    kept.vertex_groups.new(name="Empty")
    with pytest.raises(RuntimeError, match="no vertex in the group 'Empty'"):
        bpy.ops.motion324.pin_still(first=1, last=2)
    with pytest.raises(RuntimeError, match="lies before the first"):
        bpy.ops.motion324.pin_still(first=3, last=2)
    with pytest.raises(RuntimeError, match="Pin a point"):
        bpy.ops.motion324.refine()
    bpy.ops.motion324.pin_point(vertex=40, at=(0.5, 0.5), frame=2)
    with pytest.raises(RuntimeError, match="no pin 4"):
        bpy.ops.motion324.remove_pin(index=4)
    kept.motion324_pins[0].vertex = 10**6
    with pytest.raises(RuntimeError, match="no longer has"):
        bpy.ops.motion324.refine()
    ball("Other")
    with pytest.raises(RuntimeError, match="has not been animated"):
        bpy.ops.motion324.refine()


def test_pins_are_saved_with_the_file(addon, kept, tmp_path):
    bpy.ops.motion324.pin_point(vertex=7, at=(0.25, 0.75), frame=2)
    bpy.context.scene.frame_set(4)
    bpy.ops.motion324.edit_pose()
    bpy.ops.motion324.take_pose()
    before = frames_of(kept)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "pins.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "pins.blend"))
    obj = bpy.data.objects["Ball"]
    bpy.context.view_layer.objects.active = obj
    assert [(pin.kind, pin.frame) for pin in obj.motion324_pins] == [("POINT", 1), ("POSE", 3)]
    assert bpy.ops.motion324.refine(keep="SHAPE_KEYS") == {"FINISHED"}
    np.testing.assert_allclose(frames_of(obj), before, atol=ROUNDING)


def test_refine_starts_from_what_was_tweaked_and_all_else_stays_as_it_is_shown(addon, kept):
    runner = addon("job.runner").runner
    kept.motion324_tweak.strength = 1.5
    kept.motion324_tweak.smoothing = 2.0
    kept.motion324_tweak.trim_start = 2
    (tweaked,) = runner.animations
    assert tweaked.tweak.strength == 1.5 and len(tweaked.positions) == FRAMES - 2
    before = tweaked.positions.copy()
    bpy.context.scene.frame_set(3)
    bpy.ops.motion324.edit_pose()
    bpy.context.object.data.vertices[5].co += Vector((0.0, 0.0, 0.3))
    bpy.ops.motion324.take_pose()
    assert bpy.ops.motion324.refine() == {"FINISHED"}
    (refined,) = runner.animations
    wanted = before.copy()
    wanted[2, 5] += (0.0, 0.0, 0.3)
    np.testing.assert_allclose(refined.positions, wanted, atol=ROUNDING)
    assert refined.frame_numbers.tolist() == list(range(2, FRAMES)) and refined.timing == tweaked.timing
    # What was changed is part of it now, and its settings say so: from here on they change this result.
    settings = kept.motion324_tweak
    assert (settings.strength, settings.smoothing, settings.trim_start) == (1.0, 2.0, 0)
    settings.speed = 2.0
    np.testing.assert_allclose(runner.animations[0].positions, wanted, atol=ROUNDING)


def test_what_was_told_of_a_kept_take_is_told_on_of_the_refined_one(addon, kept):
    runner, trust = addon("job.runner").runner, addon("scene.playing.trust")
    fit = trust.fit_of(addon("job.motion_source").source_of(kept))
    bpy.ops.motion324.pin_point(vertex=7, at=(0.5, 0.5), frame=2)
    bpy.ops.motion324.refine()
    (refined,) = runner.animations
    assert refined.aspect == pytest.approx(128 / 72) and len(refined.overlaps) == FRAMES
    assert trust.fit_of(addon("job.motion_source").source_of(kept)) == fit
    assert refined.doubt.shape == (FRAMES, len(kept.data.vertices))
    np.testing.assert_allclose(refined.doubt[-1], np.linspace(0, 1, len(kept.data.vertices)), atol=1e-3)


def test_a_kept_take_with_its_own_pose_before_is_refined_as_it_was_kept(addon, backend, video):
    obj = ball()
    bpy.context.scene.motion324.own_pose_before = True
    bpy.ops.motion324.animate(video=str(video(frames=FRAMES, pose="drawn")), keep="SHAPE_KEYS", own_pose=True)
    assert len(obj.data.shape_keys.key_blocks) == FRAMES + 2
    bpy.ops.motion324.pin_point(vertex=7, at=(0.5, 0.5), frame=2)
    bpy.ops.motion324.refine(keep="SHAPE_KEYS")
    assert len(obj.data.shape_keys.key_blocks) == FRAMES + 2
    np.testing.assert_allclose(shown(obj, 0), rest(obj), atol=ROUNDING)
