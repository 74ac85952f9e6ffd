"""Overlays: the camera sees the mesh where the video shows it, and the video keeps step with the animation."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.shapes import ball, finish, rest
from addon.silhouettes import overlaps
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"


@pytest.fixture
def source_of(addon):
    """source_of(video, numbers, start, step) is what an animation knows of where it came from."""

    from motion324.core.reference_mesh import Normalisation
    from motion324.core.view import look_at_origin

    def make(video, numbers=range(29), start=1, step=1.0, space=None):
        return addon("scene.playing.kept_note").Source(
            video=video,
            frame_numbers=np.array(numbers),
            timing=addon("scene.playing.timing").Timing(start, step, len(numbers)),
            view=look_at_origin(40, 12, 1.92, 1.3888888),
            space=space or Normalisation(np.zeros(3), 1.0, "Z"),
        )

    return make


def test_the_camera_projects_points_where_the_view_does(addon):
    from motion324.core.reference_mesh import Normalisation
    from motion324.core.view import View, look_at_origin

    view = look_at_origin(30, 20, 2.0, 1.5)
    view = View(view.rotation, view.translation, view.focal, centre=(0.6, 0.45))
    space = Normalisation(np.array([3.0, -2.0, 7.0]), 0.2, "Z")
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene = bpy.context.scene
    scene.collection.objects.link(camera)
    height, width = 360, 640
    scene.render.resolution_x, scene.render.resolution_y = width, height
    addon("scene.showing.overlay").place_camera(camera, view, space, width / height)
    bpy.context.view_layer.update()
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    expected, depth = view.project(points, height, width)
    for point, pixel, deep in zip(space.to_source(points), expected, depth, strict=True):
        seen = world_to_camera_view(scene, camera, Vector(point.tolist()))
        np.testing.assert_allclose((seen.x * width, (1 - seen.y) * height), pixel, atol=1e-2)
        assert seen.z == pytest.approx(deep / space.scale, rel=1e-5)


@pytest.mark.parametrize(
    ("numbers", "start", "step", "expected"),
    [
        (range(5), 1, 1.0, {1: 0, 3: 2, 5: 4}),
        (range(7, 12), 20, 1.0, {20: 7, 24: 11}),
        (range(3, 13, 2), 10, 1.0, {10: 3, 11: 5, 14: 11}),
        (range(5), 1, 2.5, {1: 0, 2: 0, 3: 1, 6: 2, 11: 4}),
        (range(4, 8), -3, 0.5, {-3: 4, -2: 6}),
    ],
)
def test_the_background_shows_the_videos_frame_that_the_animation_follows(
    addon, source_of, numbers, start, step, expected
):
    source = source_of(EXAMPLES / "shiba.mp4", numbers, start, step)
    camera = addon("scene.showing.overlay").show_overlay(bpy.context.scene, source)
    background = camera.data.background_images[0]
    for frame, number in expected.items():
        bpy.context.scene.frame_set(frame)
        evaluated = camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        user = evaluated.background_images[0].image_user
        assert frame - user.frame_start + 1 + user.frame_offset == number + 1  # as Blender counts
        assert user.frame_start <= frame < user.frame_start + user.frame_duration
    assert (background.alpha, background.display_depth, background.image.source) == (0.5, "FRONT", "MOVIE")
    render = bpy.context.scene.render
    assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (512, 512, 100)
    assert bpy.context.scene.camera == camera


def picture(path, size=(8, 4)):
    image = bpy.data.images.new("Picture", *size)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def test_folders_of_pictures_are_found_by_their_numbers(addon, source_of, tmp_path):
    for number in (8, 9, 10, 12):
        picture(tmp_path / f"shot2_{number}.png")
    camera = addon("scene.showing.overlay").show_overlay(bpy.context.scene, source_of(tmp_path, range(4), 1))
    user = camera.data.background_images[0].image_user
    for frame, number in ((1, 8), (2, 9), (3, 10), (4, 12)):
        bpy.context.scene.frame_set(frame)
        assert frame - user.frame_start + 1 + user.frame_offset == number
    assert bpy.context.scene.render.resolution_x == 8


def test_what_cannot_be_shown_is_told_and_changes_nothing(addon, source_of, tmp_path):
    from motion324.core.errors import Motion324Error

    show = addon("scene.showing.overlay").show_overlay
    with pytest.raises(Motion324Error, match=r"lost\.mp4' is not there any more"):
        show(bpy.context.scene, source_of(tmp_path / "lost.mp4"))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(Motion324Error, match=r"cannot show '.*text\.mp4'"):
        show(bpy.context.scene, source_of(tmp_path / "text.mp4"))
    (tmp_path / "folder").mkdir()
    for name in ("a.png", "b.png"):
        picture(tmp_path / "folder" / name)
    with pytest.raises(Motion324Error, match=r"names that Blender cannot take for one sequence. Name them alike"):
        show(bpy.context.scene, source_of(tmp_path / "folder"))
    assert bpy.context.scene.camera is None and not bpy.data.images and not bpy.data.cameras


def test_a_second_overlay_takes_the_place_of_the_first(addon, source_of):
    show = addon("scene.showing.overlay").show_overlay
    first = show(bpy.context.scene, source_of(EXAMPLES / "shiba.mp4", range(0, 10, 2)))
    second = show(bpy.context.scene, source_of(EXAMPLES / "shiba.mp4"), opacity=0.2, in_front=False)
    assert first == second and len(second.data.background_images) == 1 and len(bpy.data.images) == 1
    background = second.data.background_images[0]
    assert background.alpha == pytest.approx(0.2) and background.display_depth == "BACK"
    bpy.context.scene.frame_set(5)
    assert background.image_user.frame_offset == 0
    assert len(addon("scene.playing.fcurves").curves_of(second.data)) == 0


def test_the_button_works_for_a_result_and_after_it_was_kept_and_follows_the_object(addon, backend, video):
    obj = ball()
    obj.location = (1, 2, 3)
    assert not bpy.ops.motion324.overlay.poll()
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    with pytest.raises(RuntimeError, match=r"cannot show '.*\.json'"):  # the tests' videos are none
        bpy.ops.motion324.overlay()
    bpy.ops.motion324.keep_shape_keys()
    note = addon("scene.playing.kept_note")
    source = note.read_source(obj)
    assert source.timing == addon("scene.playing.timing").Timing(1, 1, 3)
    np.testing.assert_allclose(source.space.centre, (1, 2, 3), atol=1e-6)
    assert source.space.scale == pytest.approx(0.5) and note.moved_since(obj, source.matrix) is None
    source_video = EXAMPLES / "shiba.mp4"
    obj[note.SOURCE] = obj[note.SOURCE].replace(str(source.video), str(source_video))
    obj.location.x += 10
    bpy.context.view_layer.update()
    assert bpy.ops.motion324.overlay(opacity=0.3) == {"FINISHED"}
    bpy.context.view_layer.update()
    camera = bpy.context.scene.camera
    away = np.array(camera.matrix_world.translation) - (11, 2, 3)
    np.testing.assert_allclose(np.linalg.norm(away), 3 / 0.5, rtol=1e-5)  # as the tests' backend answers
    before = len(bpy.data.objects)
    bpy.ops.motion324.overlay()
    assert len(bpy.data.objects) == before


def test_an_object_that_moves_between_animate_and_keep_takes_the_camera_along(addon, backend, video, monkeypatch):
    overlay, operators = addon("scene.showing.overlay"), bpy.ops.motion324
    image = bpy.data.images.new("Frame", 4, 4)
    monkeypatch.setattr(overlay, "load_background", lambda path: (image, (4, 4)))
    monkeypatch.setattr(overlay, "show_background", lambda *given: None)
    obj = ball()
    operators.animate(video=str(video(frames=3)), keep="SHAPE_KEYS")
    operators.animate(video=str(video(frames=3)))

    def check(away_from):
        """The tests' backend finds a view from the front, 3 away in normalised space."""
        expected = np.array(away_from) - (0, 3 / 0.5, 0)
        assert operators.overlay() == {"FINISHED"} and operators.align_view(camera=True) == {"FINISHED"}
        bpy.context.view_layer.update()
        for name in (addon("scene.showing.overlay").NAME, addon("operators.views").NAME):
            np.testing.assert_allclose(bpy.data.objects[name].matrix_world.translation, expected, atol=1e-5)

    check((0, 0, 0))
    obj.location.x = 5
    bpy.context.view_layer.update()
    check((5, 0, 0))
    operators.keep_shape_keys()
    check((5, 0, 0))
    obj.location.x = 7
    bpy.context.view_layer.update()
    check((7, 0, 0))
    operators.animate(video=str(video(frames=3)))  # its own place counts, not that of the one before
    check((7, 0, 0))


def test_the_example_lies_on_its_video(addon, source_of, tmp_path):
    """With the true motion and camera, silhouettes rendered through the overlay's camera cover the video's dog."""
    with np.load(EXAMPLES / "shiba_truth.npz") as truth:
        positions = truth["positions"].astype(np.float32)
    dog = addon("scene.reading.new_object").import_mesh(EXAMPLES / "shiba.glb")
    turned = np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], axis=-1)
    reading = addon("scene.reading.joining").read_objects([dog])
    own = reading.shares[0].own(turned)
    np.testing.assert_allclose(own[0], rest(dog), atol=2e-3)  # the truth is in halves
    finish(addon("scene.playing.shape_keys").bake(dog, own, addon("scene.playing.timing").Timing(1, 1, len(own))))
    camera = addon("scene.showing.overlay").show_overlay(
        bpy.context.scene, source_of(EXAMPLES / "shiba.mp4", space=reading.space)
    )
    assert bpy.context.scene.camera == camera
    found = overlaps(addon, EXAMPLES / "shiba.mp4", [(1, 0), (10, 9), (20, 19), (29, 28)], tmp_path)
    assert min(found) > 0.95, found


def test_where_the_cameras_motion_was_taken_off_the_overlays_camera_makes_it(addon, source_of, tmp_path):
    """Points are seen in each frame where the video, which is shown as it is, has what its first frame shows there."""
    for number in range(4):
        picture(tmp_path / f"{number}.png", (64, 36))
    source = source_of(tmp_path, range(4))
    still = source.view
    turns = np.exp(0.9j * np.arange(4)) * (1 + 0.2 * np.arange(4))
    shifts = np.arange(4) * (0.3 - 0.2j)
    to_first = np.array(
        [[[a.real, -a.imag, b.real], [a.imag, a.real, b.imag], [0, 0, 1]] for a, b in zip(turns, shifts, strict=True)]
    )
    scene, showing = bpy.context.scene, addon("scene.showing.overlay")
    moving = dataclasses.replace(source, camera_to_first=to_first)
    note = addon("scene.playing.kept_note")
    moving = note._from_json(json.loads(json.dumps(note._as_json(moving))))  # as the object keeps it
    camera = showing.show_overlay(scene, moving)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 3))
    first = still.project(points, 36, 64)[0] / 36
    world = source.space.to_source(points)

    def seen():
        places = [world_to_camera_view(scene, camera, Vector(point.tolist())) for point in world]
        return np.array([[place.x * 64 / 36, 1 - place.y] for place in places])

    for index in range(4):
        scene.frame_set(1 + index)
        expected = np.column_stack([first, np.ones(len(first))]) @ np.linalg.inv(to_first[index]).T
        np.testing.assert_allclose(seen(), expected[:, :2], atol=1e-4)
    assert showing.show_overlay(scene, source) == camera  # one whose video's camera stands still
    for frame in (1, 3):
        scene.frame_set(frame)
        np.testing.assert_allclose(seen(), first, atol=1e-4)
