"""The buttons, called from Python in the background, where they wait for the end."""

from __future__ import annotations

import os
import time

import bpy
import numpy as np
import pytest
from addon.shapes import add_object, ball, ngon_object, rest, shown
from addon.wobble import wobble

ROUNDING = 1e-6


@pytest.fixture
def state(addon):
    """state() is the job's state now."""
    runner = addon("job.runner").runner
    return lambda: runner.state


def test_animate_keeps_shape_keys_at_the_frames_asked_for(addon, backend, video):
    obj = ngon_object()
    base = rest(obj)
    done = bpy.ops.motion324.animate(video=str(video(frames=5)), keep="SHAPE_KEYS", start_frame=11)
    assert done == {"FINISHED"}
    for index, expected in enumerate(wobble(base, 5)):
        np.testing.assert_allclose(shown(obj, 11 + index), expected, atol=ROUNDING)
    assert len(obj.data.polygons) == 7


def test_animate_keeps_a_point_cache_and_the_duration(addon, backend, video, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    obj = ball()
    base = rest(obj)
    bpy.context.scene.render.fps = 30
    bpy.ops.motion324.animate(video=str(video(frames=4, fps=12)), keep="POINT_CACHE", timing="KEEP_DURATION")
    assert (tmp_path / "scene_motion324" / "Ball.pc2").exists()
    for index, expected in enumerate(wobble(base, 4)):
        np.testing.assert_allclose(shown(obj, 1 + index * 2.5), expected, atol=ROUNDING)


@pytest.mark.parametrize("kind", ["SHAPE_KEYS", "POINT_CACHE"])
def test_the_meshs_own_pose_is_kept_at_the_frame_before_another_first_pose(addon, backend, video, tmp_path, kind):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    obj = ngon_object()
    base = rest(obj)
    bpy.ops.motion324.animate(
        video=str(video(frames=3, pose="drawn", fps=12)), keep=kind, own_pose=True, start_frame=7,
        timing="CUSTOM_FPS", custom_fps=bpy.context.scene.render.fps / 2,
    )  # fmt: skip
    expected = wobble(base, 4)
    for index in range(4):
        np.testing.assert_allclose(shown(obj, 5 + 2 * index), expected[index], atol=ROUNDING)
    np.testing.assert_allclose(shown(obj, 6), (base + expected[1]) / 2, atol=ROUNDING)
    np.testing.assert_allclose(shown(obj, 1), base, atol=ROUNDING)


def test_without_being_asked_for_the_own_pose_is_no_frame_and_nor_where_the_result_begins_with_it(
    addon, backend, video
):
    obj = ngon_object()
    base = rest(obj)
    bpy.ops.motion324.animate(video=str(video(frames=2, pose="other-frame")), keep="SHAPE_KEYS", start_frame=7)
    np.testing.assert_allclose(shown(obj, 6), wobble(base, 2)[1], atol=ROUNDING)
    assert len(obj.data.shape_keys.key_blocks) == 3
    bpy.ops.motion324.animate(video=str(video(frames=2)), keep="SHAPE_KEYS", start_frame=7, own_pose=True)
    assert len(obj.data.shape_keys.key_blocks) == 3


def test_a_point_cache_without_a_place_is_refused_before_the_job(addon, backend, video, state):
    ball()
    with pytest.raises(RuntimeError, match=r"this \.blend has not been saved yet\. Save it, then"):
        bpy.ops.motion324.animate(video=str(video(frames=2)), keep="POINT_CACHE")
    assert state().phase.value == "idle"


def test_animate_takes_what_is_not_given_from_the_scenes_settings(addon, backend, video):
    ball()
    settings = bpy.context.scene.motion324
    settings.video, settings.smooth, settings.view, settings.azimuth = str(video(frames=2)), 2.0, "angles", 30
    settings.first_frame, settings.frame_count, settings.frame_step = 4, 10, 2
    bpy.ops.motion324.animate(seed=7)
    options = addon("job.runner").runner.animation.report["options"]
    assert (options["smooth"], options["seed"], options["view"]) == (2.0, 7, "30,0")
    assert list(options["frames"]) == [4, 24, 2]


def test_every_keyword_of_animate_reaches_the_job(addon, backend, video, tmp_path):
    obj, other = ball("One"), ball("Two")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    masks = tmp_path / "masks"
    masks.mkdir()
    given = {
        "video": str(video(frames=4)), "first_frame": 2, "frame_count": 4, "frame_step": 3, "video_fps": 5.0,
        "start_frame": 5, "timing": "CUSTOM_FPS", "custom_fps": 48.0, "mask": "file", "mask_path": str(masks),
        "view": "angles", "azimuth": 20.0, "elevation": 10.0, "reconstructor": "deformation-fit", "quality": "draft",
        "device": "cpu", "precision": "float32", "smooth": 1.5, "pose": "any", "camera": "still", "seed": 3,
        "keep": "POINT_CACHE", "own_pose": True, "only_active": True,
        "single_user": True,
    }  # fmt: skip
    known = {prop.identifier for prop in bpy.ops.motion324.animate.get_rna_type().properties} - {"rna_type"}
    assert set(given) == known
    runner = addon("job.runner").runner
    seen = []
    obj.select_set(True)
    with bpy.context.temp_override(active_object=obj, object=obj, selected_objects=[obj, other]):
        runner.kept, kept = lambda animations: seen.extend(animations) or kept(animations), runner.kept
        try:
            assert bpy.ops.motion324.animate(**given) == {"FINISHED"}
        finally:
            del runner.kept
    (animation,) = seen
    options = animation.report["options"]
    expected = {
        "frames": [2, 14, 3], "video_fps": 5.0, "fps": 48.0, "mask": str(masks), "view": "20,10",
        "reconstructor": "deformation-fit", "quality": "draft", "device": "cpu", "precision": "float32",
        "smooth": 1.5, "pose": "any", "camera": "still", "seed": 3,
    }  # fmt: skip
    assert {name: list(options[name]) if name == "frames" else options[name] for name in expected} == expected
    assert animation.target.name == "One" and animation.timing.start == 5 and not other.modifiers
    assert [modifier.type for modifier in obj.modifiers] == ["MESH_CACHE"]


def test_a_result_waits_until_it_is_kept_or_discarded(addon, backend, video, state):
    obj = ball()
    bpy.ops.motion324.animate(video=str(video(frames=3, warning="It does not look alike.")))
    assert state().phase.value == "done" and state().warnings == ("It does not look alike.",)
    assert not obj.modifiers and obj.data.shape_keys is None
    assert bpy.ops.motion324.discard() == {"FINISHED"}
    assert state().phase.value == "idle"
    assert not bpy.ops.motion324.keep_shape_keys.poll()
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    assert bpy.ops.motion324.keep_shape_keys() == {"FINISHED"}
    assert state().phase.value == "idle" and len(obj.data.shape_keys.key_blocks) == 4


def test_a_result_that_waits_is_exported_over_its_own_frames(addon, backend, video):
    obj = ball()
    frames_of = addon("job.runner").runner.frames_of
    assert frames_of(obj) == (bpy.context.scene.frame_start, bpy.context.scene.frame_end)
    bpy.ops.motion324.animate(video=str(video(frames=5)), start_frame=11)
    assert frames_of(obj) == (11, 15)
    bpy.ops.motion324.discard()
    assert frames_of(obj) == (bpy.context.scene.frame_start, bpy.context.scene.frame_end)


def test_a_turned_object_comes_back_in_its_own_axes(addon, backend, video):
    obj = ngon_object()
    obj.rotation_euler, obj.scale = (1.2, 0.3, 0.1), (1, 3, 0.4)
    bpy.context.view_layer.update()
    turn = np.array(obj.matrix_world)[:3, :3]
    upright = wobble((rest(obj) @ turn.T).astype(np.float32), 3)
    bpy.ops.motion324.animate(video=str(video(frames=3)), keep="SHAPE_KEYS")
    np.testing.assert_allclose(shown(obj, 3) @ turn.T, upright[2], atol=5e-6)


def test_errors_are_one_sentence_that_names_the_thing_and_the_remedy(addon, backend, video, state, tmp_path):
    def refused(text, **arguments):
        with pytest.raises(RuntimeError, match=text):
            bpy.ops.motion324.animate(**arguments)

    ball()
    refused("No video has been chosen. Choose one")
    refused(r"There is no video '.*lost.mp4'. Choose another", video=str(tmp_path / "lost.mp4"))
    refused(r"'.*video\d.json' shows nothing that moves. Choose another video", video=str(video(do="fail")))
    assert state().phase.value == "failed" and state().problem.code == "no-foreground"
    flat = ngon_object("Flat")
    flat.scale = (1, 0, 1)
    refused("'Flat' is scaled to zero along an axis. Reset its scale", video=str(video()))
    bpy.context.view_layer.objects.active = None
    assert not bpy.ops.motion324.animate.poll()


def test_without_a_backend_the_sentence_says_what_to_do(addon, video, monkeypatch, tmp_path):
    monkeypatch.delenv("MOTION324_BACKEND_PYTHON", raising=False)
    ball()
    with pytest.raises(RuntimeError, match=r"Download it in Preferences .* or set MOTION324_BACKEND_PYTHON"):
        bpy.ops.motion324.animate(video=str(video()))
    monkeypatch.setenv("MOTION324_BACKEND_PYTHON", str(tmp_path / "no python"))
    with pytest.raises(RuntimeError, match="no python cannot be started"):
        bpy.ops.motion324.animate(video=str(video()))


def test_a_backend_that_dies_is_told_with_its_last_words_and_the_next_job_starts_another(addon, backend, video, state):
    obj = ball()
    with pytest.raises(RuntimeError, match="last words of the backend"):
        bpy.ops.motion324.animate(video=str(video(do="die")))
    assert state().phase.value == "lost" and not obj.modifiers
    assert "last words of the backend" in state().problem.hint
    assert bpy.ops.motion324.animate(video=str(video(frames=2)), keep="SHAPE_KEYS") == {"FINISHED"}


def test_one_backend_serves_all_jobs_and_ends_with_the_add_on(addon, backend, video):
    ball()
    bpy.ops.motion324.animate(video=str(video(frames=2)))
    pid = backend.pid()
    bpy.ops.motion324.animate(video=str(video(frames=2)))
    assert backend.pid() == pid
    backend.stop()
    assert backend.pid() is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_ctrl_c_cancels_the_job_at_once(addon, backend, video, state):
    obj = ball()
    blocking = addon("batch.blocking")
    began = []

    def interrupt(job_state):
        if job_state.stage:
            began.append(time.monotonic())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blocking.animate_blocking(obj, video(do="wait"), on_progress=interrupt)
    assert time.monotonic() - began[0] < 1.0
    assert state().phase.value == "cancelled"
    assert blocking.animate_blocking(obj, video(frames=2)).positions.shape[0] == 2
    blocking.release()


def test_a_preview_is_neither_undone_nor_brought_back_by_undo(addon, backend, video, monkeypatch):
    ball()
    monkeypatch.setattr(addon("job.runner"), "is_background", lambda: False)
    bpy.ops.ed.undo_push(message="before the preview")
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="with the preview")
    shown = lambda: [m.name for m in bpy.data.objects["Ball"].modifiers]  # noqa: E731
    assert shown() == ["Motion324 Preview"]
    bpy.ops.ed.undo()
    assert shown() == ["Motion324 Preview"]
    bpy.ops.ed.redo()
    bpy.context.view_layer.objects.active = bpy.data.objects["Ball"]
    assert bpy.ops.motion324.discard() == {"FINISHED"}
    assert not shown()
    bpy.ops.ed.undo()
    assert not shown()


def test_animating_something_that_cannot_be_keeps_the_result_that_waits(addon, backend, video, state):
    ball()
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    add_object("Empty", bpy.data.meshes.new("Empty"))
    with pytest.raises(RuntimeError, match="The mesh of 'Empty' has no faces"):
        bpy.ops.motion324.animate(video=str(video(frames=3)))
    assert state().phase.value == "done"
    assert bpy.ops.motion324.keep_shape_keys() == {"FINISHED"}
