"""The video over the mesh is shown and hidden without anything of the scene left changed; so is the map of doubt."""

from __future__ import annotations

import json
import shutil

import bpy
import numpy as np
import pytest
from addon.shapes import SHIBA, ball, camera_at


@pytest.fixture
def animated(addon, backend, tmp_path):
    """A ball that was animated, with the example's video, which can be shown."""
    shutil.copy(SHIBA, tmp_path / "dog.mp4")
    (tmp_path / "dog.mp4.json").write_text(json.dumps({"do": "wobble", "frames": 6, "fps": 15}))
    obj = ball()
    bpy.ops.motion324.animate(video=str(tmp_path / "dog.mp4"), keep="SHAPE_KEYS")
    return obj


def state() -> tuple:
    scene = bpy.context.scene
    render = scene.render
    size = render.resolution_x, render.resolution_y, render.resolution_percentage, render.pixel_aspect_x
    kept = len(bpy.data.cameras), len(bpy.data.images), [each.name for each in bpy.data.objects]
    return size, scene.camera and scene.camera.name, kept


@pytest.mark.parametrize("has_camera", [False, True])
def test_hiding_gives_the_scene_its_camera_and_its_resolution_back(animated, has_camera):
    if has_camera:
        bpy.context.scene.camera = camera_at(30, 10)
    bpy.context.scene.render.resolution_percentage = 50
    bpy.context.view_layer.objects.active = animated
    before = state()
    bpy.ops.motion324.overlay()
    assert bpy.context.scene.render.resolution_x == 512
    bpy.ops.motion324.overlay(beside=True)  # over the one that is shown
    render, camera = bpy.context.scene.render, bpy.context.scene.camera
    assert (render.resolution_x, render.resolution_y) == (1024, 512) and camera.data.background_images[0].alpha == 1
    bpy.ops.motion324.hide_overlay()
    assert state() == before
    assert not bpy.ops.motion324.hide_overlay.poll()


def test_the_object_lies_in_the_left_half_side_by_side(animated):
    from bpy_extras.object_utils import world_to_camera_view

    scene = bpy.context.scene
    bpy.ops.motion324.overlay()
    over = world_to_camera_view(scene, scene.camera, animated.location)
    bpy.ops.motion324.overlay(beside=True)
    beside = world_to_camera_view(scene, scene.camera, animated.location)
    assert (beside.x, beside.y) == pytest.approx((over.x / 2, over.y), abs=1e-5)


def test_the_picture_comes_into_the_middle_of_what_the_sidebar_leaves_free(addon, animated):
    free_offset = addon("scene.showing.overlay_view").free_offset
    assert free_offset(0.0, 1000, 60, 60) == 0
    assert free_offset(0.0, 1000, 60, 260) == pytest.approx(0.1)  # by 100 pixels to the left, at the usual zoom
    assert free_offset(50 * (2 - 2**0.5), 1000, 0, 200) == pytest.approx(0.05)  # twice as near
    view = addon("scene.showing.view_angles").viewport_area(bpy.context).spaces.active.region_3d
    view.view_camera_offset = 0.3, 0.2
    bpy.ops.motion324.overlay()
    assert view.view_camera_offset[1] == 0
    bpy.ops.motion324.overlay(beside=True)
    bpy.ops.motion324.hide_overlay()
    assert list(view.view_camera_offset) == pytest.approx([0.3, 0.2])


def test_the_opacity_follows_its_slider(animated):
    bpy.context.scene.motion324.overlay_opacity = 0.2
    bpy.ops.motion324.overlay(opacity=0.2)
    bpy.context.scene.motion324.overlay_opacity = 0.7
    assert bpy.context.scene.camera.data.background_images[0].alpha == pytest.approx(0.7)
    bpy.context.scene.motion324.overlay_opacity_percent = 30  # which the panel shows
    assert bpy.context.scene.camera.data.background_images[0].alpha == pytest.approx(0.3)
    assert bpy.context.scene.motion324.bl_rna.properties["overlay_opacity_percent"].subtype == "PERCENTAGE"


def reds(mesh) -> np.ndarray:
    """(N,) of the map that is shown."""
    return np.array([each.color[0] for each in mesh.color_attributes.active_color.data])


def test_the_map_of_doubt_comes_and_goes_and_shows_each_frame_its_own(addon, animated):
    mesh = animated.data
    own = mesh.color_attributes.new("Own", "BYTE_COLOR", "CORNER")
    mesh.color_attributes.active_color = own
    bpy.context.scene.frame_set(9)
    bpy.ops.motion324.show_doubt()
    assert mesh.color_attributes.active_color.name == addon("scene.playing.trust").DOUBT
    colours = np.array([each.color[:3] for each in mesh.color_attributes.active_color.data])
    assert colours[0, 2] > colours[0, 0] and colours[-1, 0] > colours[-1, 2]  # from blue to red, as the doubt rises
    last = reds(mesh)
    bpy.context.scene.frame_set(1)
    assert reds(mesh)[-1] == pytest.approx(reds(mesh)[0] + (last[-1] - last[0]) / 6, abs=1e-3), "a sixth of it"
    bpy.context.scene.frame_set(100)  # behind its end, where it stands
    np.testing.assert_allclose(reds(mesh), last, atol=1e-3)
    bpy.ops.motion324.show_doubt()
    bpy.context.scene.frame_set(9)
    assert [each.name for each in mesh.color_attributes] == ["Own"] and mesh.color_attributes.active_color.name == "Own"


def test_the_map_of_doubt_follows_the_frames_after_reopening_and_before_it_is_shown_nothing_does(
    addon, animated, tmp_path
):
    handlers = bpy.app.handlers.frame_change_post
    view = addon("job.doubt_view")
    view.unregister()
    view.register()
    assert view._on_frame not in handlers
    bpy.context.scene.frame_set(1)
    bpy.ops.motion324.show_doubt()
    first = reds(animated.data)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    view.unregister()
    view.register()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.context.scene.frame_set(9)
    assert reds(bpy.data.objects["Ball"].data)[-1] > first[-1] + 0.1


def test_the_worst_frames_are_those_of_the_scene_and_lie_apart(addon, animated):
    trust, kept_note = addon("scene.playing.trust"), addon("scene.playing.kept_note")
    fit = trust.fit_of(kept_note.read_source(animated))
    assert fit.mean == pytest.approx(1 - 0.02 * 2.5)
    assert [frame for frame, _ in fit.worst] == [9, 7, 6] and fit.worst[0][1] == pytest.approx(0.9)  # at 1.6 a frame
    bpy.ops.motion324.go_to_frame(frame=fit.worst[0][0])
    assert bpy.context.scene.frame_current == 9


def test_the_match_is_known_after_reopening(addon, animated, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    found = addon("examining.looks").view_found_for(bpy.data.objects["Ball"], bpy.context)
    assert found.overlap == pytest.approx(0.93) and found.aspect == pytest.approx(128 / 72)


def test_playing_stays_within_the_animation(animated):
    scene = bpy.context.scene
    scene.frame_set(100)
    bpy.ops.motion324.play()
    assert scene.use_preview_range and (scene.frame_preview_start, scene.frame_preview_end) == (1, 9)
    assert scene.frame_current == 1


def test_the_map_of_doubt_is_no_colour_of_the_mesh(addon, animated):
    """Another job, or Refine, while it is shown sees the mesh in its own colours."""
    read = addon("scene.reading.mesh_reading").read_reference
    mesh = animated.data
    bpy.ops.motion324.show_doubt()
    assert read(animated).mesh.vertex_colour is None
    bpy.ops.motion324.show_doubt()
    own = mesh.color_attributes.new("Own", "BYTE_COLOR", "CORNER")
    own.data.foreach_set("color_srgb", np.tile([0.2, 0.4, 0.6, 1], len(own.data)))
    mesh.color_attributes.active_color = own
    bpy.ops.motion324.show_doubt()
    np.testing.assert_allclose(read(animated).mesh.vertex_colour, [[0.2, 0.4, 0.6]] * len(mesh.vertices), atol=0.01)
