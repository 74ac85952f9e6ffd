"""Results are changed without the engine, waiting or kept, and takes are kept with their object."""

from __future__ import annotations

import json
import threading
import time

import bpy
import numpy as np
import pytest
from addon.shapes import ball
from addon.wobble import wobble


@pytest.fixture
def runner(addon, backend):
    return addon("job.runner").runner


@pytest.fixture
def takes(addon):
    return addon("scene.playing.takes")


def shown(obj: bpy.types.Object, frame: int) -> np.ndarray:
    """(N, 3): the mesh at the scene's frame."""
    bpy.context.scene.frame_set(frame)
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    found = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", found.ravel())
    return found


def test_a_waiting_result_follows_the_settings_at_once(runner, video):
    obj = ball()
    bpy.ops.motion324.animate(video=str(video(frames=12, fps=24)))
    made = np.array(runner.animation.positions)
    obj.motion324_tweak.strength = 0.5
    found = runner.animation
    np.testing.assert_allclose(found.positions, made[0] + 0.5 * (made - made[0]), atol=1e-6)
    obj.motion324_tweak.strength = 1
    obj.motion324_tweak.trim_start, obj.motion324_tweak.speed, obj.motion324_tweak.start = 2, 2, 11
    found = runner.animation
    np.testing.assert_array_equal(found.positions, made[2:])
    assert (found.timing.start, found.timing.step, found.timing.count) == (11, 0.5, 10)
    assert found.frame_numbers.tolist() == list(range(2, 12))
    bpy.ops.motion324.keep_shape_keys()
    np.testing.assert_allclose(shown(obj, 12), made[4], atol=1e-5)


def test_the_panel_shows_the_strength_in_percent(runner, video):
    obj = ball()
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    settings = obj.motion324_tweak
    assert settings.strength_percent == 100 and settings.bl_rna.properties["strength_percent"].subtype == "PERCENTAGE"
    settings.strength_percent = 80
    assert settings.strength == pytest.approx(0.8) and runner.animation.tweak.strength == pytest.approx(0.8)
    settings.strength_percent = 400
    assert settings.strength == 1.5


def test_another_job_begins_with_settings_of_its_own(runner, video):
    obj = ball()
    bpy.ops.motion324.animate(video=str(video(frames=5)), smooth=1.5, start_frame=7)
    obj.motion324_tweak.strength = 0
    bpy.ops.motion324.animate(video=str(video(frames=5)), smooth=0.25, start_frame=3)
    settings = obj.motion324_tweak
    assert (settings.strength, settings.smoothing, settings.start) == (1, 0.25, 3)


def test_a_kept_take_is_tweaked_after_save_and_reopen_and_changed_from_one_form_to_the_other(runner, video, tmp_path):
    obj = ball()
    made = wobble(_positions(obj), 9)
    bpy.ops.motion324.animate(video=str(video(frames=9, fps=24)), keep="SHAPE_KEYS")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    obj = bpy.data.objects["Ball"]
    assert not runner.results and obj.motion324_tweak.strength == 1
    obj.motion324_tweak.strength = 0.5
    assert len(runner.results) == 1 and len(obj.data.shape_keys.key_blocks) == 10  # which stay until it is kept
    bpy.ops.motion324.keep_point_cache()
    assert obj.data.shape_keys is None and not runner.results
    np.testing.assert_allclose(shown(obj, 4), made[0] + 0.5 * (made[3] - made[0]), atol=1e-5)
    bpy.ops.motion324.keep_shape_keys(object_name="Ball")
    assert not obj.modifiers
    np.testing.assert_allclose(shown(obj, 4), made[0] + 0.5 * (made[3] - made[0]), atol=1e-5)
    obj.motion324_tweak.strength = 1
    bpy.ops.motion324.keep_shape_keys()
    np.testing.assert_allclose(shown(obj, 4), made[3], atol=1e-5)


def test_undo_of_a_change_brings_the_result_back_as_it_was(addon, runner, video):
    obj = ball()
    bpy.ops.ed.undo_push(message="a ball")
    bpy.ops.motion324.animate(video=str(video(frames=6)))
    bpy.ops.ed.undo_push(message="animated")
    obj.motion324_tweak.trim_end = 2
    bpy.ops.ed.undo_push(message="trimmed")
    assert len(runner.animation.positions) == 4
    bpy.ops.ed.undo()
    assert len(runner.animation.positions) == 6
    bpy.ops.ed.redo()
    assert len(runner.animation.positions) == 4 and bpy.data.objects["Ball"].motion324_tweak.trim_end == 2


def test_undo_of_keeping_has_the_result_wait_again_and_redo_keeps_it(runner, video):
    ball()
    bpy.ops.motion324.animate(video=str(video(frames=6)))
    bpy.ops.ed.undo_push(message="animated")
    bpy.ops.motion324.keep_shape_keys()
    bpy.ops.ed.undo_push(message="kept")
    assert not runner.results
    bpy.ops.ed.undo()
    assert len(runner.results) == 1 and bpy.data.objects["Ball"].data.shape_keys is None
    bpy.ops.ed.redo()
    assert not runner.results and len(bpy.data.objects["Ball"].data.shape_keys.key_blocks) == 7
    bpy.ops.ed.undo()
    bpy.ops.motion324.keep_shape_keys()
    assert len(bpy.data.objects["Ball"].data.shape_keys.key_blocks) == 7


def test_objects_that_were_animated_as_one_are_changed_as_one(runner, video):
    one, other = ball("One"), ball("Other")
    one.select_set(True)
    bpy.ops.motion324.animate(video=str(video(frames=6)))
    one.motion324_tweak.trim_end = 2
    assert [len(each.positions) for each in runner.animations] == [4, 4]
    assert other.motion324_tweak.trim_end == 2


def test_what_cannot_be_done_is_told_and_leaves_the_result(addon, runner, video):
    obj = ball()
    from motion324.core.errors import Motion324Error
    from motion324.core.motion.tweak import Tweak

    bpy.ops.motion324.animate(video=str(video(frames=2)))
    with pytest.raises(Motion324Error, match="too few for a loop"):
        addon("job.tweaks").wish(obj, Tweak(loop=True))
    assert "too few for a loop" in addon("job.tweaks").problem and len(runner.animation.positions) == 2


def test_a_new_take_replaces_the_old_one_unless_it_is_added(runner, takes, video):
    obj = ball()
    for _ in range(2):
        bpy.ops.motion324.animate(video=str(video(frames=4)), keep="SHAPE_KEYS")
    assert len(takes.takes_of(obj)) == 1
    bpy.context.scene.motion324.add_take = True
    bpy.ops.motion324.animate(video=str(video(frames=6)), keep="SHAPE_KEYS", reconstructor="node-model")
    first, second = takes.takes_of(obj)
    assert [first.match, second.match] == pytest.approx([0.97, 0.95])  # the overlaps' means, by which they compare
    assert (first.shown, second.shown) == (False, True) and first.name != second.name
    assert second.name.startswith("Ball, video") and second.name.endswith(", Fast")
    bpy.ops.motion324.choose_take(take=first.identifier)
    assert len(runner.animation.positions) == 4 and len(obj.data.shape_keys.key_blocks) == 7
    bpy.ops.motion324.keep_shape_keys()
    assert len(obj.data.shape_keys.key_blocks) == 5 and [take.shown for take in takes.takes_of(obj)] == [True, False]
    bpy.ops.motion324.remove_take(take=second.identifier)
    assert [take.identifier for take in takes.takes_of(obj)] == [first.identifier]
    bpy.ops.motion324.remove_animation()
    assert not takes.takes_of(obj) and not [name for name in list(obj.keys()) if name.startswith(takes.DATA)]


def test_a_long_take_is_a_file_that_goes_along_to_another_blend(runner, takes, video, tmp_path, monkeypatch):
    monkeypatch.setattr(takes, "LONG", 1)
    obj = ball()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one.blend"))
    bpy.ops.motion324.animate(video=str(video(frames=4)), keep="SHAPE_KEYS")
    (take,) = takes.takes_of(obj)
    assert (tmp_path / "one_motion324" / take.file).exists()
    (tmp_path / "elsewhere").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "elsewhere/two.blend"))
    assert (tmp_path / "elsewhere/two_motion324" / take.file).exists()
    obj.motion324_tweak.trim_end = 1
    assert len(runner.animation.positions) == 3
    bpy.ops.motion324.discard()
    (tmp_path / "elsewhere/two_motion324" / take.file).unlink()
    takes._elsewhere.clear()
    with pytest.raises(RuntimeError, match=r"is not beside the \.blend"):
        bpy.ops.motion324.choose_take()
    assert len(obj.data.shape_keys.key_blocks) == 5  # what was kept stays


def test_a_long_take_whose_file_is_cut_off_is_told_as_damaged(takes, runner, video, tmp_path, monkeypatch):
    monkeypatch.setattr(takes, "LONG", 1)
    obj = ball()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one.blend"))
    bpy.ops.motion324.animate(video=str(video(frames=4)), keep="SHAPE_KEYS")
    file = tmp_path / "one_motion324" / takes.takes_of(obj)[0].file
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(RuntimeError, match="is damaged"):
        bpy.ops.motion324.choose_take()
    assert not runner.results


@pytest.mark.parametrize("meanwhile", ["", "gone", "another take"])
def test_a_kept_take_is_read_and_changed_beside_the_main_thread(addon, runner, takes, video, monkeypatch, meanwhile):
    obj = ball()
    bpy.ops.motion324.animate(video=str(video(frames=4)), keep="SHAPE_KEYS")
    tweaks, reader, threads = addon("job.tweaks"), takes.reader, []

    def noted(*given):
        read = reader(*given)
        return lambda: threads.append(threading.current_thread()) or read()

    monkeypatch.setattr(takes, "reader", noted)
    monkeypatch.setattr(tweaks, "is_background", lambda: False)
    obj.motion324_tweak.strength = 0.5
    tweaks._tick()
    if meanwhile == "gone":
        bpy.data.objects.remove(obj)
    elif meanwhile:
        takes.remove(obj)
    until = time.monotonic() + 20
    while tweaks._tick() is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert threads and threading.main_thread() not in threads
    if meanwhile:
        assert not runner.results
        return
    assert runner.animation.tweak.strength == 0.5 and len(runner.results) == 1
    runner.discard()
    assert not obj.modifiers and len(obj.data.shape_keys.key_blocks) == 5


def test_a_damaged_note_of_takes_is_none_at_all(addon, takes):
    obj = ball()
    obj[takes.TAKES] = json.dumps([{"identifier": 3}])
    assert takes.takes_of(obj) == [] and not bpy.ops.motion324.choose_take.poll()


def test_what_was_discarded_can_be_brought_back(runner, video):
    ball()
    bpy.ops.motion324.animate(video=str(video(frames=4)))
    made = np.array(runner.animation.positions)
    bpy.ops.motion324.discard()
    assert not runner.results and bpy.ops.motion324.bring_back.poll()
    bpy.ops.motion324.bring_back()
    np.testing.assert_array_equal(runner.animation.positions, made)
    assert not bpy.ops.motion324.bring_back.poll()
    bpy.ops.motion324.keep_shape_keys()


def _positions(obj: bpy.types.Object) -> np.ndarray:
    found = np.empty((len(obj.data.vertices), 3), np.float32)
    obj.data.vertices.foreach_get("co", found.ravel())
    return found
