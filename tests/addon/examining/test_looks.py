"""The quick looks before a job: the mask of the first frame, the view, and the viewport and camera that follow it."""

from __future__ import annotations

import time

import bpy
import numpy as np
import pytest
from addon.shapes import ball
from mathutils import Vector


@pytest.fixture
def looks(addon, backend):
    module = addon("examining.looks")
    module.forget()
    yield module
    module.forget()


def settings_with(video, **values):
    settings = bpy.context.scene.motion324
    settings.video = str(video)
    for name, value in values.items():
        setattr(settings, name, value)
    return settings


def test_the_mask_of_the_first_frame_becomes_an_image(addon, looks, video):
    settings = settings_with(video())
    assert bpy.ops.motion324.preview_mask() == {"FINISHED"}
    found = looks.mask_look.look.answers(looks.mask_key(settings))
    assert found.mask_method == "plain"
    image = bpy.data.images[addon("examining.looks").NAME]
    assert tuple(image.size) == (64, 36)
    pixels = np.empty(64 * 36 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(36, 64, 4)
    np.testing.assert_allclose(pixels[:, :31, :3], 128 / 255, atol=1e-3)  # the object keeps its colours
    np.testing.assert_allclose(pixels[:, 32, :3], np.broadcast_to((1.0, 0.6, 0.15), (36, 3)), atol=5e-3)
    assert (pixels[:, 34:, 0] > pixels[:, 34:, 1] + 0.1).all() and (pixels[..., 3] == 1).all()


def test_what_was_found_is_forgotten_for_other_settings(addon, looks, video):
    settings = settings_with(video())
    bpy.ops.motion324.preview_mask()
    settings.mask = "plain"
    assert looks.mask_look.look.answers(looks.mask_key(settings)) is None
    settings.mask = "auto"
    assert looks.mask_look.look.answers(looks.mask_key(settings)) is not None
    bpy.ops.motion324.cancel_look(look="MASK")
    assert looks.mask_look.look.answers(looks.mask_key(settings)) is None


def test_a_look_that_fails_says_why(addon, looks, video):
    with pytest.raises(RuntimeError, match=r"shows nothing\. Choose another video"):
        bpy.ops.motion324.preview_mask(video=str(video(do="fail")))
    assert looks.mask_look.look.problem.code == "no-foreground"
    with pytest.raises(RuntimeError, match="No video has been chosen"):
        bpy.ops.motion324.preview_mask(video="")


def test_the_view_is_found_and_the_camera_put_there(addon, looks, video):
    obj = ball()
    obj.location = (2, 1, 0)
    settings_with(video())
    assert not bpy.ops.motion324.align_view.poll()
    assert bpy.ops.motion324.find_view() == {"FINISHED"}
    found = addon("examining.looks").view_found_for(obj, bpy.context)
    assert (found.view.azimuth, found.overlap) == (pytest.approx(30), pytest.approx(0.9))
    assert bpy.ops.motion324.align_view(camera=True) == {"FINISHED"}
    camera = bpy.context.scene.camera
    bpy.context.view_layer.update()
    assert camera.name == "Motion324 View"
    assert addon("scene.showing.view_angles").from_camera(bpy.context) == (
        pytest.approx(30, abs=0.1),
        pytest.approx(0, abs=0.1),
    )
    ahead = camera.matrix_world.to_3x3() @ Vector((0, 0, -1))
    towards = (Vector((2, 1, 0)) - camera.matrix_world.translation).normalized()
    assert ahead.dot(towards) > 0.9999
    bpy.ops.motion324.align_view(camera=True)
    assert [each.name for each in bpy.data.objects if each.type == "CAMERA"] == ["Motion324 View"]


def test_the_viewport_is_turned_to_the_found_view_around_the_object(addon, looks, video):
    obj = ball()
    obj.location, obj.scale = (2, 1, 0), (3, 3, 3)
    bpy.context.view_layer.update()
    settings_with(video())
    bpy.ops.motion324.find_view()
    found = addon("examining.looks").view_found_for(obj, bpy.context)
    area = next(area for area in bpy.context.screen.areas if area.type == "VIEW_3D")
    main = next(region for region in area.regions if region.type == "WINDOW")
    viewport = area.spaces.active.region_3d
    viewport.view_perspective = "ORTHO"
    with bpy.context.temp_override(area=area, region=main):
        assert bpy.ops.motion324.align_view() == {"FINISHED"}
    assert viewport.view_perspective == "PERSP"
    np.testing.assert_allclose(viewport.view_location, (2, 1, 0), atol=1e-4)
    expected = addon("scene.showing.overlay").camera_matrix(found.view, found.space)
    backwards = viewport.view_rotation.to_matrix() @ Vector((0, 0, 1))
    np.testing.assert_allclose(
        viewport.view_location + backwards * viewport.view_distance, expected.translation, atol=1e-4
    )
    np.testing.assert_allclose(viewport.view_rotation.to_matrix(), expected.to_3x3(), atol=1e-5)
    assert bpy.context.scene.camera is None

    obj.location.x += 5  # the viewport follows the object, as the camera does
    bpy.context.view_layer.update()
    assert bpy.ops.motion324.align_view(camera=False) == {"FINISHED"}  # the largest viewport, where none is named
    np.testing.assert_allclose(viewport.view_location, (7, 1, 0), atol=1e-4)


def test_a_view_that_keywords_asked_for_is_known_and_follows_the_object(addon, looks, video):
    obj, path = ball(), str(video())
    assert bpy.ops.motion324.find_view(video=path, view="front") == {"FINISHED"}
    assert bpy.ops.motion324.align_view(camera=True) == {"FINISHED"}
    settings, camera = bpy.context.scene.motion324, bpy.context.scene.camera
    assert (settings.video, settings.view) == (path, "front")
    bpy.context.view_layer.update()
    before = camera.matrix_world.translation.copy()
    obj.location.x += 5
    bpy.context.view_layer.update()
    bpy.ops.motion324.align_view(camera=True)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(camera.matrix_world.translation - before, (5, 0, 0), atol=1e-5)


def test_the_view_of_a_result_is_known_until_and_after_it_is_kept(addon, looks, video):
    obj = ball()
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    view_found_for = addon("examining.looks").view_found_for
    assert view_found_for(obj, bpy.context).view.azimuth == pytest.approx(0)
    bpy.ops.motion324.keep_shape_keys()
    assert view_found_for(obj, bpy.context).view.azimuth == pytest.approx(0)
    assert bpy.ops.motion324.align_view.poll()
    bpy.ops.motion324.remove_animation()
    assert view_found_for(obj, bpy.context) is None


def test_in_a_window_looking_goes_on_beside_and_can_be_stopped(addon, looks, video):
    settings = settings_with(video())
    examiner = looks.mask_look
    examiner.start(looks.mask_question(settings))
    until = time.monotonic() + 20
    while examiner.look.running and time.monotonic() < until:
        examiner._tick()
        time.sleep(0.02)
    assert examiner.look.found is not None
    settings.video = str(video(do="wait"))
    examiner.start(looks.mask_question(settings))
    while not examiner.look.stage and time.monotonic() < until:
        examiner._tick()
        time.sleep(0.02)
    assert examiner.look.running and examiner.look.stage == "foreground"
    examiner.stop()
    assert not examiner.look.running and not bpy.app.timers.is_registered(examiner._timer)
    settings.video = str(video())
    assert bpy.ops.motion324.preview_mask() == {"FINISHED"}  # the backend is free again


def test_late_answers_change_nothing():
    from bl_ext.user_default.motion324.examining.look import Asked, Dropped, Failed, Look, Moved, advance

    asked, _ = advance(Look(), Asked("a"))
    moved, _ = advance(asked, Moved("view", 1, 2))
    assert asked.running and (moved.done, moved.fraction) == (1, 0.5)
    gone, _ = advance(asked, Dropped())
    assert advance(gone, Moved("view", 1, 2)) == (gone, ()) == advance(gone, Failed(None))
