"""Kept animations show exactly their positions, and leave alone what was there."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.shapes import ball, finish, ngon_object, rest, shown
from addon.wobble import wobble

# Blender adds a key's offset to the basis in float32: two roundings of numbers of about 1.
ROUNDING = 5e-7


@pytest.fixture
def timing(addon):
    return addon("scene.playing.timing").Timing


def assert_plays(obj, positions, timing, tolerance=ROUNDING):
    for index, expected in enumerate(positions):
        np.testing.assert_allclose(shown(obj, timing.frame(index)), expected, atol=tolerance)


@pytest.mark.parametrize(("start", "step"), [(1, 1), (-3, 1), (10, 2), (4, 1.25), (0, 0.8), (7, 25 / 30)])
def test_shape_keys_show_each_frame_exactly(addon, timing, start, step):
    obj = ngon_object()
    positions = wobble(rest(obj), 7)
    when = timing(start, step, 7)
    finish(addon("scene.playing.shape_keys").bake(obj, positions, when))
    assert_plays(obj, positions, when)


@pytest.mark.parametrize(("start", "step"), [(1, 1), (-3, 1), (10, 2), (4, 1.25), (0, 0.8), (7, 25 / 30)])
def test_a_point_cache_shows_each_frame_exactly(addon, timing, tmp_path, start, step):
    obj = ngon_object()
    positions = wobble(rest(obj), 7)
    when = timing(start, step, 7)
    addon("scene.playing.point_cache").keep(obj, positions, when, tmp_path / "cache.pc2")
    assert_plays(obj, positions, when)


@pytest.mark.parametrize("kind", ["shape keys", "point cache"])
def test_between_frames_the_shape_moves_linearly_and_outside_it_stays(addon, timing, tmp_path, kind):
    obj = ball()
    positions = wobble(rest(obj), 5)
    when = timing(10, 1, 5)
    if kind == "shape keys":
        finish(addon("scene.playing.shape_keys").bake(obj, positions, when))
    else:
        addon("scene.playing.point_cache").keep(obj, positions, when, tmp_path / "cache.pc2")
    np.testing.assert_allclose(shown(obj, 11.25), 0.75 * positions[1] + 0.25 * positions[2], atol=1e-5)
    np.testing.assert_allclose(shown(obj, 1), positions[0], atol=ROUNDING)
    np.testing.assert_allclose(shown(obj, 50), positions[4], atol=ROUNDING)


def test_shape_keys_that_were_there_stay_with_their_values_and_animation(addon, timing):
    obj = ball()
    base = rest(obj)
    obj.shape_key_add(name="Basis", from_mix=False)
    wide = obj.shape_key_add(name="wide", from_mix=False)
    wide.data.foreach_set("co", (base * [1.5, 1, 1]).astype(np.float32).ravel())
    tall = obj.shape_key_add(name="tall", from_mix=False)
    tall.data.foreach_set("co", (base * [1, 1, 2]).astype(np.float32).ravel())
    wide.value = 0.4
    for frame, value in ((1, 0.0), (9, 1.0)):
        tall.value = value
        tall.keyframe_insert("value", frame=frame)
    curve = addon("scene.playing.fcurves").curves_of(obj.data.shape_keys)[0]
    before = [tuple(point.co) for point in curve.keyframe_points]
    positions = wobble(base, 9)
    when = timing(1, 1, 9)
    finish(addon("scene.playing.shape_keys").bake(obj, positions, when))
    assert_plays(obj, positions, when, tolerance=2e-6)
    keys = obj.data.shape_keys.key_blocks
    assert [key.name for key in keys[:3]] == ["Basis", "wide", "tall"]
    assert keys["wide"].value == pytest.approx(0.4)
    curves = addon("scene.playing.fcurves").curves_of(obj.data.shape_keys)
    kept = next(curve for curve in curves if "tall" in curve.data_path)
    assert [tuple(point.co) for point in kept.keyframe_points] == before
    assert bpy.context.scene.frame_current == 9


@pytest.mark.parametrize("how", ["driver", "strip"])
def test_shape_keys_that_drivers_or_strips_move_stay_as_well(addon, timing, how):
    obj = ball()
    base = rest(obj)
    obj.shape_key_add(name="Basis", from_mix=False)
    wide = obj.shape_key_add(name="wide", from_mix=False)
    wide.data.foreach_set("co", (base * [1.5, 1, 1]).astype(np.float32).ravel())
    keys = obj.data.shape_keys
    if how == "driver":
        driver = wide.driver_add("value").driver
        driver.type, driver.expression = "SCRIPTED", "frame / 10"
    else:
        for frame, value in ((1, 0.0), (9, 1.0)):
            wide.value = value
            wide.keyframe_insert("value", frame=frame)
        animation = keys.animation_data
        track = animation.nla_tracks.new()
        track.strips.new("strip", 1, animation.action)
        animation.action = None
    positions = wobble(base, 9)
    when = timing(1, 1, 9)
    finish(addon("scene.playing.shape_keys").bake(obj, positions, when))
    assert_plays(obj, positions, when, tolerance=2e-6)
    assert len(keys.animation_data.drivers) == (how == "driver")
    assert len(keys.animation_data.nla_tracks) == (how == "strip")


def test_an_action_that_others_use_is_not_written_to(addon, timing):
    obj = ball()
    obj.shape_key_add(name="Basis", from_mix=False)
    obj.shape_key_add(name="own", from_mix=False).keyframe_insert("value", frame=1)
    other = ball("Other")
    other.shape_key_add(name="Basis", from_mix=False)
    other.shape_key_add(name="own", from_mix=False)
    action = obj.data.shape_keys.animation_data.action
    other.data.shape_keys.animation_data_create().action = action
    finish(addon("scene.playing.shape_keys").bake(obj, wobble(rest(obj), 3), timing(1, 1, 3)))
    curves = addon("scene.playing.fcurves").curves_of
    assert len(curves(other.data.shape_keys)) <= 1
    assert other.data.shape_keys.animation_data.action == action
    assert len(curves(obj.data.shape_keys)) == 4


def test_a_bake_that_is_stopped_leaves_nothing_behind(addon, timing):
    obj = ball()
    steps = addon("scene.playing.shape_keys").bake(obj, wobble(rest(obj), 6), timing(1, 1, 6))
    next(steps)
    next(steps)
    steps.close()
    assert obj.data.shape_keys is None
    obj.shape_key_add(name="Basis", from_mix=False)
    obj.shape_key_add(name="own", from_mix=False)
    steps = addon("scene.playing.shape_keys").bake(obj, wobble(rest(obj), 6), timing(1, 1, 6))
    next(steps)
    steps.close()
    assert [key.name for key in obj.data.shape_keys.key_blocks] == ["Basis", "own"]
    assert len(addon("scene.playing.fcurves").curves_of(obj.data.shape_keys)) == 0


def test_a_point_cache_goes_after_deformers_and_before_what_changes_topology(addon, timing, tmp_path):
    obj = ball()
    for kind in ("WAVE", "WEIGHTED_NORMAL", "SUBSURF", "SMOOTH"):
        obj.modifiers.new(kind, kind)
    positions = wobble(rest(obj), 4)
    addon("scene.playing.point_cache").keep(obj, positions, timing(1, 1, 4), tmp_path / "cache.pc2")
    assert [m.type for m in obj.modifiers] == ["WAVE", "WEIGHTED_NORMAL", "MESH_CACHE", "SUBSURF", "SMOOTH"]
    assert len(shown(obj, 3)) > len(positions[0])
    for name in ("SUBSURF", "SMOOTH"):
        obj.modifiers[name].show_viewport = False
    np.testing.assert_allclose(shown(obj, 3), positions[2], atol=ROUNDING)


def test_shape_keys_take_the_place_of_deformers_and_leave_the_other_modifiers_on(addon, timing):
    obj = ball()
    for kind in ("WAVE", "WEIGHTED_NORMAL", "SUBSURF"):
        obj.modifiers.new(kind, kind)
    positions = wobble(rest(obj), 4)
    finish(addon("scene.playing.shape_keys").bake(obj, positions, timing(1, 1, 4)))
    assert [m.show_viewport for m in obj.modifiers] == [False, True, True]
    obj.modifiers["SUBSURF"].show_viewport = False
    np.testing.assert_allclose(shown(obj, 3), positions[2], atol=ROUNDING)


def test_an_object_that_cannot_carry_shape_keys_is_refused_with_a_remedy(addon, timing):
    from motion324.core.errors import Motion324Error

    bake, obj = addon("scene.playing.shape_keys").bake, ball()
    positions, when = wobble(rest(obj), 3), timing(1, 1, 3)
    with pytest.raises(Motion324Error, match="has 114 vertices, but the animation has 3"):
        finish(bake(obj, positions[:, :3], when))
    twin = obj.copy()
    with pytest.raises(Motion324Error, match=r"'Ball' shares its mesh with 1 other user\..*single-user"):
        finish(bake(obj, positions, when))
    bpy.data.objects.remove(twin)
    obj.shape_key_add(name="Basis")
    obj.data.shape_keys.use_relative = False
    with pytest.raises(Motion324Error, match="absolute shape keys"):
        finish(bake(obj, positions, when))
    assert len(obj.data.shape_keys.key_blocks) == 1


def test_a_kept_range_is_the_exports_range_and_lengthens_the_scene(addon, timing):
    animation = animation_of(addon, ball(), 12, timing(300, 1, 12))
    finish(addon("scene.playing.keeping").keep_as_shape_keys(animation))
    obj = bpy.data.objects["Ball"]
    assert addon("scene.playing.keeping").animated_range(obj) == (300, 311)
    assert bpy.context.scene.frame_end == 311


def test_a_bake_onto_a_mesh_that_changed_is_refused(addon, timing, tmp_path):
    from motion324.core.errors import Motion324Error

    obj = ngon_object()
    animation = animation_of(addon, obj, 3, timing(1, 1, 3))
    obj.data.vertices[0].co.x += 1  # moving a vertex is no change of the topology
    obj.data.update()
    addon("scene.reading.mesh_reading").check_topology(obj, animation.topology)
    mesh = bpy.data.meshes.new("changed")
    vertices = [tuple(co) for co in rest(obj)]
    faces = [tuple(face.vertices) for face in obj.data.polygons]
    mesh.from_pydata(vertices, [], [faces[1], faces[0], *faces[2:]])
    obj.data = mesh
    keeping = addon("scene.playing.keeping")
    with pytest.raises(Motion324Error, match="'Ngon' was changed since the job was started"):
        finish(keeping.keep_as_shape_keys(animation))
    with pytest.raises(Motion324Error, match="Undo that change"):
        keeping.keep_as_point_cache(animation, tmp_path)
    assert list(tmp_path.iterdir()) == [] and not obj.modifiers and obj.data.shape_keys is None
    bpy.data.objects.remove(obj)
    with pytest.raises(Motion324Error, match="'Ngon' that was animated is no longer there"):
        finish(keeping.keep_as_shape_keys(animation))


def test_a_point_cache_lies_beside_the_blend_and_moves_with_it(addon, timing, tmp_path):
    from motion324.core.errors import Motion324Error

    obj = ball()
    animation = animation_of(addon, obj, 4, timing(1, 1, 4))
    keeping = addon("scene.playing.keeping")
    with pytest.raises(Motion324Error, match="has not been saved yet"):
        keeping.keep_as_point_cache(animation)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "here" / ".." / "scene.blend"), check_existing=False)
    path = keeping.keep_as_point_cache(animation)
    assert path == tmp_path / "scene_motion324" / "Ball.pc2"
    assert [modifier.filepath for modifier in obj.modifiers] == ["//scene_motion324/Ball.pc2"]
    assert keeping.keep_as_point_cache(animation) == tmp_path / "scene_motion324" / "Ball.001.pc2"
    assert [modifier.filepath for modifier in obj.modifiers] == ["//scene_motion324/Ball.001.pc2"]
    assert path.exists()  # for undo


def test_a_full_disk_leaves_no_cache_and_no_modifier(addon, timing, tmp_path):
    from motion324.core.errors import Motion324Error

    obj = ball()
    (tmp_path / "folder").write_text("a file is in the way")
    animation = animation_of(addon, obj, 4, timing(1, 1, 4))
    with pytest.raises(Motion324Error, match="could not be written"):
        addon("scene.playing.keeping").keep_as_point_cache(animation, tmp_path / "folder")
    assert not obj.modifiers


def test_undo_takes_a_kept_bake_back_in_one_step(addon, backend, video):
    obj = ball()
    before = rest(obj)
    bpy.ops.motion324.animate(video=str(video(frames=4)))
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.motion324.keep_shape_keys("EXEC_DEFAULT", True) == {"FINISHED"}
    assert len(bpy.data.objects["Ball"].data.shape_keys.key_blocks) == 5
    bpy.ops.ed.undo()
    obj = bpy.data.objects["Ball"]
    assert obj.data.shape_keys is None and not bpy.data.actions and "motion324_frames" not in obj
    np.testing.assert_array_equal(rest(obj), before)


def test_a_big_bake_is_fast(addon, timing):
    """128 frames of 20,000 vertices take about 0.1 s; loops over vertices would take 12 s."""
    import time

    obj = ball(segments=200)
    positions = np.repeat(rest(obj)[None], 128, axis=0)
    began = time.monotonic()
    finish(addon("scene.playing.shape_keys").bake(obj, positions, timing(1, 1, 128)))
    assert time.monotonic() - began < 5


def animation_of(addon, obj, frames, timing):
    """A finished animation of the object."""
    module = addon("scene.playing.animation")
    return module.Animation(
        target=module.Target.of(obj),
        topology=addon("scene.reading.mesh_reading").topology_of(obj.data),
        positions=wobble(rest(obj), frames),
        timing=timing,
        frame_numbers=np.arange(frames),
        fps=24.0,
        view=None,
        report={},
    )
