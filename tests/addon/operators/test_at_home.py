"""What makes the add-on one of Blender's own: drops, presets, the NLA editor, the queue, the status bar."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from addon.paper_layout import Paper
from addon.shapes import SHIBA, ball, shown

FRAMES = 6


@pytest.fixture
def kept(backend, video):
    obj = ball("Fox")
    done = bpy.ops.motion324.animate(video=str(video(frames=FRAMES)), keep="SHAPE_KEYS")
    assert done == {"FINISHED"}
    return obj


def frames_of(obj) -> np.ndarray:
    return np.stack([shown(obj, 1 + k) for k in range(FRAMES)])


def test_the_action_is_named_after_object_and_video(kept):
    action = kept.data.shape_keys.animation_data.action
    assert action.name == "Fox video0"


def test_an_action_with_other_curves_keeps_its_name(backend, video):
    obj = ball("Fox")
    obj.shape_key_add(name="Basis")
    own = obj.shape_key_add(name="Smile")
    own.keyframe_insert("value", frame=1)
    obj.data.shape_keys.animation_data.action.name = "Smiling"
    bpy.ops.motion324.animate(video=str(video(frames=FRAMES)), keep="SHAPE_KEYS")
    assert obj.data.shape_keys.animation_data.action.name == "Smiling"


def test_a_kept_animation_becomes_a_strip_moves_as_before_and_can_be_removed(kept):
    before = frames_of(kept)
    assert bpy.ops.motion324.push_to_nla() == {"FINISHED"}
    animation = kept.data.shape_keys.animation_data
    assert animation.action is None and [track.name for track in animation.nla_tracks] == ["Fox video0"]
    np.testing.assert_allclose(frames_of(kept), before, atol=1e-6)
    with pytest.raises(RuntimeError, match="no kept animation"):
        bpy.ops.motion324.push_to_nla()
    assert bpy.ops.motion324.remove_animation() == {"FINISHED"}
    assert kept.data.shape_keys is None and not bpy.data.actions


def test_a_new_take_takes_the_place_of_a_strip(kept, video):
    bpy.ops.motion324.push_to_nla()
    bpy.ops.motion324.animate(video=str(video(frames=FRAMES)), keep="SHAPE_KEYS")
    animation = kept.data.shape_keys.animation_data
    assert not animation.nla_tracks and animation.action.name.startswith("Fox video1")
    assert len(bpy.data.actions) == 1


def test_a_dropped_video_is_chosen(addon, tmp_path):
    ball()
    assert bpy.ops.motion324.drop_video(filepath=str(SHIBA)) == {"FINISHED"}
    assert bpy.context.scene.motion324.video == str(SHIBA)
    with pytest.raises(RuntimeError, match="no file"):
        bpy.ops.motion324.drop_video(filepath=str(tmp_path / "none.mp4"))
    assert bpy.context.scene.motion324.video == str(SHIBA)
    handler = addon("operators.dropping").MOTION324_FH_video
    assert handler.is_registered and ".mp4" in handler.bl_file_extensions.split(";")
    for kind, takes in (("VIEW_3D", True), ("IMAGE_EDITOR", False)):
        assert handler.poll_drop(SimpleNamespace(area=SimpleNamespace(type=kind))) is takes


def test_a_menu_without_presets_does_not_tell_of_missing_paths(addon, monkeypatch):
    menu = addon("ui.menu").MOTION324_MT_presets

    def texts() -> list[str]:
        paper = Paper()
        panel = SimpleNamespace(
            layout=paper, preset_subdir=menu.preset_subdir, path_menu=lambda *given, **named: paper.label(text="there")
        )
        monkeypatch.setattr(bpy.types.Menu, "draw_preset", lambda self, context: self.path_menu(), raising=False)
        menu.draw(panel, None)
        return [what for function, what in paper.drawn if function == "label"]

    monkeypatch.setattr(bpy.utils, "preset_paths", lambda subdir: [])
    assert texts() == []
    monkeypatch.setattr(bpy.utils, "preset_paths", lambda subdir: [f"/{subdir}"])
    assert texts() == ["there"]


def test_what_a_preset_has_needs_no_name_that_a_newer_python_would_not_see(addon):
    paths = addon("operators.presets").MOTION324_OT_add_preset.preset_values.fget(None)
    assert len(paths) > 5
    for path in paths:  # by eval in a function, which sees names of Blender's module only from Python 3.13 on
        eval(path, {"bpy": bpy})


def test_a_preset_has_the_settings_but_nothing_of_the_shot(addon, monkeypatch):
    menu = addon("ui.menu").MOTION324_MT_presets
    monkeypatch.setattr(menu, "bl_label", menu.bl_label)  # which Blender changes with the preset
    settings = bpy.context.scene.motion324
    settings.smooth, settings.quality, settings.video, settings.first_frame = 2.0, "fine", str(SHIBA), 7
    assert bpy.ops.motion324.add_preset(name="Slow Walk") == {"FINISHED"}
    (folder,) = bpy.utils.preset_paths("motion324")
    (file,) = Path(folder).glob("*.py")
    assert file.stem.lower() == "slow_walk"
    settings.smooth, settings.quality, settings.video, settings.first_frame = 0.5, "draft", "other.mp4", 3
    assert bpy.ops.script.execute_preset(filepath=str(file), menu_idname="MOTION324_MT_presets") == {"FINISHED"}
    assert (settings.smooth, settings.quality) == (2.0, "fine")
    assert (settings.video, settings.first_frame) == ("other.mp4", 3)
    bpy.ops.motion324.add_preset(name="Slow Walk", remove_name=True, remove_active=False)
    assert not file.exists()


@pytest.mark.parametrize("name", ["motion324", "motion324_rig", "motion324_new_mesh"])
def test_settings_take_no_keyframes(addon, name):
    group = getattr(bpy.context.scene, name)
    properties = [each for each in group.bl_rna.properties if each.identifier not in ("rna_type", "name")]
    assert len(properties) > 2
    assert [each.identifier for each in properties if each.is_animatable] == []


@pytest.mark.parametrize("name", ["motion324_tweak", "motion324_pins"])
def test_settings_of_an_object_take_no_keyframes(addon, name):
    kind = bpy.types.Object.bl_rna.properties[name].fixed_type
    properties = [each for each in kind.properties if each.identifier not in ("rna_type", "name")]
    assert len(properties) > 2
    assert [each.identifier for each in properties if each.is_animatable] == []


def test_the_status_bar_tells_how_far_a_job_is_and_how_it_ended(addon):
    bar, state = addon("ui.status_bar"), addon("job.state")
    running = state.JobState(
        phase=state.Phase.RUNNING, object_name="Fox", stage="refine", done=3, total=12, remaining=75.0, number=4
    )
    assert bar.told(running, 0.0) == "Fox: Refining 25%, 1:15 min left"
    starting = state.JobState(phase=state.Phase.STARTING, object_name="Fox", began=10.0, number=4)
    assert bar.told(starting, 13.0) == "Fox: Starting the engine, 3 s"
    done = state.JobState(phase=state.Phase.DONE, object_name="Fox", began=10.0, ended=42.0, frames=30, number=4)
    assert bar.ending(done) == ("INFO", "'Fox' was animated in 32 s: 30 frames wait")
    problem = addon("runner_base.state").Problem("no-foreground", "Nothing was found in '/home/a/fox.mp4'.")
    failed = state.JobState(phase=state.Phase.FAILED, object_name="Fox", problem=problem, number=5)
    assert bar.ending(failed) == ("WARNING", "'Fox' was not animated: Nothing was found in 'fox.mp4'.")
    assert bar.ending(state.JobState(phase=state.Phase.CANCELLED, number=6)) is None
    seen = {4: state.Phase.RUNNING, 5: state.Phase.FAILED}
    assert bar.ended_since(seen, (done, failed, running)) == [done]


def test_a_job_that_failed_by_its_settings_is_tried_again_with_those_of_now(addon, backend, video, monkeypatch):
    runner = addon("job.runner").runner
    monkeypatch.setattr(addon("job.runner"), "is_background", lambda: False)
    monkeypatch.setattr(addon("operators.animation"), "is_background", lambda: True)
    fox = ball("Fox")
    with pytest.raises(RuntimeError, match="nothing that moves"):
        bpy.ops.motion324.animate(video=str(video(do="fail")))
    number = runner.failures[0].number
    bpy.context.scene.motion324.video = ""
    with pytest.raises(RuntimeError) as refused:
        bpy.ops.motion324.try_again(job=number)
    assert str(refused.value).strip() == "Error: No video has been chosen. Choose one, then animate."
    ball("Other")
    bpy.context.scene.motion324.video = str(video(frames=FRAMES))
    assert bpy.ops.motion324.try_again(job=number) == {"FINISHED"}
    assert not runner.failures and [each.target.name for each in runner.animations] == ["Fox"]
    assert bpy.context.object.name == "Other" and fox.modifiers


def test_the_queue_is_reordered_and_cancelled_by_its_buttons(addon, backend, video, monkeypatch):
    runner = addon("job.runner").runner
    monkeypatch.setattr(addon("job.runner"), "is_background", lambda: False)
    where = addon("settings.preferences").connection()

    def start(name: str) -> None:
        from motion324.core.options.animate_options import AnimateOptions

        runner.start(addon("job.records").Order(ball(name), video(do="wait"), AnimateOptions(), where, 1.0))

    for name in ("One", "Two", "Three"):
        start(name)
    assert bpy.ops.motion324.requeue(index=0, later=True) == {"FINISHED"}
    assert [job.object_name for job in runner.queue] == ["Three", "Two"]
    assert bpy.ops.motion324.requeue(index=1, later=False) == {"FINISHED"}
    assert [job.object_name for job in runner.queue] == ["Two", "Three"]
    assert bpy.ops.motion324.cancel_all() == {"FINISHED"}
    assert not runner.queue and not runner.state.busy
    with pytest.raises(RuntimeError, match="Nothing is being animated"):
        bpy.ops.motion324.cancel_all()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and runner.jobs.busy:
        runner._tick()
